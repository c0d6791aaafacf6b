#!/bin/sh
# Prints the greeting that caur-demo-split-data holds.
exec cat /usr/share/caur-demo-split/greeting
