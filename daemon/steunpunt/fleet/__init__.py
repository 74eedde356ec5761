"""What a technician does to a site's devices from the command line."""
