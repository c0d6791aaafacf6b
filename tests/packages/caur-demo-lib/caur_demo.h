#ifndef CAUR_DEMO_H
#define CAUR_DEMO_H

/* Version of the library that is loaded, not of the one that was compiled against. */
const char *caur_demo_version(void);

#endif
