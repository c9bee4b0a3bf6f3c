"""Where containers run. Knows no AWS service."""
