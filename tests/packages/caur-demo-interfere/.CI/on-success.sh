echo "on-success.sh of caur-demo-interfere ran"
