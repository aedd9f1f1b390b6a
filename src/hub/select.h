/* select.h - which files of a repository are wanted. */
#ifndef HUB_SELECT_H
#define HUB_SELECT_H

#include "hub/hub.h"
#include "hub/list.h"

/* Leaves in l what --partitions or the set asks for. A pattern of the user that matches nothing is an error with the
 * nearest folders; one of a set is told, and an error only if nothing at all is left. */
int select_files(RepoList *l, const HubOpts *o, const Events *to, Err *e);

#endif
