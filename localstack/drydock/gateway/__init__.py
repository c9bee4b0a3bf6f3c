"""From bytes to an operation of a service and back: one door for AWS's API, the admin pages and (later) git and OCI."""
