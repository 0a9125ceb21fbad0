#include <stdio.h>

#include "conf/conf.h"
#include "ctl_internal.h"

enum ctl_exit
cmd_check(const struct ctl *ctl)
{
    struct conf_problems problems = {0};

    if (ctl->word_count != 1) {
        ctl_say("check wants one configuration file");
        return CTL_USAGE;
    }
    struct conf *conf = conf_load(ctl->words[0], &problems);

    conf_problems_print(&problems, stderr);
    conf_problems_fini(&problems);
    if (conf == NULL)
        return CTL_NOT_DONE;
    printf("%s is right: node %s of site %s, %zu routes, %zu origin groups, "
           "%zu sites\n",
           ctl->words[0], conf->node, conf->site, conf->route_count,
           conf->origin_count, conf->site_count);
    conf_unref(&conf);
    return CTL_DONE;
}
