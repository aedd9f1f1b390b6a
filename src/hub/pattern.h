/* pattern.h - Python's fnmatch.fnmatchcase(), which is what the Hub's own client matches paths with: '*' and '?' cross '/',
 * leading dots are nothing special, [seq] and [!seq] are sets of code points, there is no escape. */
#ifndef HUB_PATTERN_H
#define HUB_PATTERN_H

int pattern_match(const char *pattern, const char *path);

#endif
