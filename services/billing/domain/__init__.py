"""What billing decides: values and functions, nothing else."""
