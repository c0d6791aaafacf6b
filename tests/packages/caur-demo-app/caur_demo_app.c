#include <caur_demo.h>
#include <stdio.h>

int main(void)
{
    printf("caur-demo-app runs with caur-demo-lib %s\n", caur_demo_version());
    return 0;
}
