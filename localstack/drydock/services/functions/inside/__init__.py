"""Not imported: what a function's container is given. It is run by the container's interpreter and imports nothing of ours."""
