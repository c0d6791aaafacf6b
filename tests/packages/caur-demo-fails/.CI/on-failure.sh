echo "on-failure.sh of caur-demo-fails ran, status $CAUR_EXIT_STATUS"
