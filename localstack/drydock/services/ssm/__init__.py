"""Session Manager: sessions, and the data channel through which a client and a program in a container talk."""
