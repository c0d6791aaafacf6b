#include "caur_demo.h"

const char *caur_demo_version(void)
{
    return CAUR_DEMO_VERSION;
}
