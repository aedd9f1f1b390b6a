/* event.c - see event.h */
#include "util/event.h"

#include <stdarg.h>
#include <stdio.h>

void event_say(const Events *to, FtsEventKind kind, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    event_send(to, &(Event){.kind = kind, .text = text});
}
