/* digits.h - whole numbers in groups of three: 23,243 */
#ifndef CLI_DIGITS_H
#define CLI_DIGITS_H

typedef struct Grouped { char text[32]; } Grouped;

Grouped digits(double x);          /* rounded; "0" for what is no number */

#endif
