"""Not imported: this folder goes onto the PYTHONPATH of programs in the plain tier, for its ``sitecustomize``."""
