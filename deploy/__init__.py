"""What Piperoll runs on: the local stack, the simulators, the images."""
