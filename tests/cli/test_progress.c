/* test_progress.c - the bar on a terminal, and silence elsewhere. */
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../hub/support.h"
#include "cli.h"

/* Runs a command whose stderr is a terminal; what that terminal got is in text. */
static int on_terminal(const char *command, char *text, size_t size)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), status = -1;
    size_t n = 0;
    ssize_t got;
    if (master < 0 || grantpt(master) || unlockpt(master)) return -1;
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    pid_t child = slave < 0 ? -1 : fork();
    if (!child) {
        dup2(slave, STDERR_FILENO);
        close(slave);
        close(master);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (slave >= 0) close(slave);
    while (child > 0 && n < size - 1 && (got = read(master, text + n, size - 1 - n)) > 0) n += (size_t)got;
    text[n] = 0;
    if (child > 0) waitpid(child, &status, 0);
    close(master);
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(cli_a_bar_on_a_terminal_and_none_elsewhere)
{
    static char text[1 << 18];
    char command[1024];
    if (!cli_program()) return;
    snprintf(command, sizeof command, "TERM=xterm $P train --dataset-path %s --checkpoint-dir %s --checkpoint-every 0 --val-split 0 --steps-per-epoch 400 --log-every 100 --no-tensorboard "
             CLI_SMALL " >/dev/null", cli_data(), test_folder());
    int status = on_terminal(command, text, sizeof text);
    if (status < 0) { test_skip("no pseudo-terminals"); return; }
    regex_t bar;
    CHECK(!regcomp(&bar, "\r\\[#*\\.*\\] +[0-9]+%  [0-9]+/400  loss [0-9]\\.[0-9]{4}(  [0-9,]+ tokens/s)?(  [0-9]+:[0-9][0-9] left)?\x1b\\[K", REG_EXTENDED | REG_NOSUB));
    int drawn = !regexec(&bar, text, 0, NULL, 0);
    regfree(&bar);
    CHECK(status == 0 && drawn && strstr(text, "\r\x1b[K"));
    const Said *s = cli("%s", command);
    CHECK(s->status == 0 && !strchr(s->err, '\r') && !strchr(s->err, '\x1b'));
}

TEST(cli_a_bar_counts_what_its_task_counts)
{
    static char text[1 << 18];
    char command[1024];
    if (!cli_program()) return;
    snprintf(command, sizeof command, "TERM=xterm $P evaluate --model repeat-last --data %s --prediction-length 4 >/dev/null", cli_data());
    int status = on_terminal(command, text, sizeof text);
    if (status < 0) { test_skip("no pseudo-terminals"); return; }
    CHECK(status == 0 && strstr(text, "\r[#.......................]   7%  256/3360 windows"));
}

/* Bars of files stand above the one of all; the cursor goes up to draw them again, and none is left at the end. */
TEST(cli_a_bar_for_each_file_that_is_fetched)
{
    static char text[1 << 18];
    char command[1024];
    if (!cli_program() || !tiny_start()) return;
    tiny_set("slow=60&piece=40000");
    snprintf(command, sizeof command, "TERM=xterm $P data download --repo-id org/tiny --partitions energy --max-workers 2 --time300b-dir %s >/dev/null", test_folder());
    int status = on_terminal(command, text, sizeof text);
    if (status < 0) { test_skip("no pseudo-terminals"); return; }
    regex_t bars;
    CHECK(!regcomp(&bars, "\r\x1b\\[2A\x1b\\[J(\renergy/[a-z/0-9.-]+ +\\[\\.+\\] +0%  0/1 MiB\x1b\\[K\r?\n){2}\r\\[#*\\.*\\] +[0-9]+%  0/1 MiB", REG_EXTENDED | REG_NOSUB));
    int drawn = !regexec(&bars, text, 0, NULL, 0);
    regfree(&bars);
    CHECK(status == 0 && drawn);
    const char *last = strrchr(text, '\x1b');
    CHECK(last && !strncmp(last, "\x1b[K", 3) && !strchr(last, '#'));
}
