"""Images: a content store of OCI blobs, extracted layers, and the stand-ins for base images. Knows no AWS service."""
