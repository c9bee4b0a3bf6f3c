"""AWS Identity and Access Management: users, groups, roles, policies, and the decision who may do what."""

from drydock.services.iam.api import Iam
from drydock.services.iam.model import Credential

__all__ = ["Credential", "Iam"]
