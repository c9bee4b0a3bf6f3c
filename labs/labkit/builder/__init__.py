"""From a chapter's one source, ``labs/NN_slug/lab.py``, to its two notebooks, executed."""
