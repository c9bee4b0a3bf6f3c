"""Operations on listeners. The messages marked with (?) are to be compared with AWS."""

from __future__ import annotations

from typing import Any

from drydock.errors import AwsError, NotImplementedByDrydock
from drydock.request import Request
from drydock.services.elbv2 import attributes, checks, errors
from drydock.services.elbv2.certificates import CertificateOperations
from drydock.services.elbv2.model import Listener
from drydock.services.elbv2.registry import Params

MOST_LISTENERS = 50
NETWORK_PROTOCOLS = ("TCP", "TLS", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC")


class ListenerOperations(CertificateOperations):
    """CreateListener, DeleteListener, ModifyListener, DescribeListeners, ...ListenerAttributes."""

    async def create_listener(self, request: Request, params: Params) -> dict[str, Any]:
        """It serves at once if its load balancer is active."""
        scope = request.scope
        balancer = self.balancer(scope, params["LoadBalancerArn"])
        protocol, port = params.get("Protocol"), params.get("Port")
        if port is None:
            raise errors.invalid("A listener port must be specified")
        if protocol is None:
            raise errors.invalid("A listener protocol must be specified")
        self._check_protocol(balancer.kind, protocol, params, "CreateListener")
        arns, policy = self.secured(scope, None, params) if protocol == "HTTPS" else ([], "")
        actions = checks.actions_of(params["DefaultActions"], "CreateListener")
        checks.check_tags(params.get("Tags", []))
        others = self.listeners_of(scope, balancer.arn)
        if any(other.port == port for other in others):
            code, message = errors.DUPLICATE_LISTENER
            raise AwsError(code, message.format(balancer.arn))
        if len(others) >= MOST_LISTENERS:
            raise AwsError("TooManyListeners", f"A load balancer can have at most '{MOST_LISTENERS}' listeners")  # (?)
        self.check_groups(scope, balancer, actions, protocol)
        arn = self._arn_under(request, balancer.arn.replace(":loadbalancer/", ":listener/", 1), "listener")
        default = self._arn_under(request, arn.replace(":listener/", ":listener-rule/", 1), "rule")
        made = Listener(arn, balancer.arn, port, protocol, actions, default, tags=list(params.get("Tags", [])))
        made.certificates, made.ssl_policy = arns, policy
        self.listeners.put(scope, arn, made)
        await self.changed(request)
        return {"Listeners": [made.describe()]}

    def _arn_under(self, request: Request, parent: str, kind: str) -> str:
        return f"{parent}/{self.platform.ids.hexadecimal(request.scope, kind, parent, 16)}"

    @staticmethod
    def _check_protocol(kind: str, protocol: str, params: Params, operation: str) -> None:
        if kind == "network":
            if protocol not in NETWORK_PROTOCOLS:
                names = ", ".join(NETWORK_PROTOCOLS)
                raise errors.invalid(f"Listener protocol '{protocol}' must be one of '{names}'")  # (?)
            if protocol != "TCP":
                raise NotImplementedByDrydock("elbv2", f"{operation} with Protocol {protocol}", "Use TCP.")
            if any(action.get("Type") != "forward" for action in params.get("DefaultActions") or []):
                raise AwsError(
                    "InvalidLoadBalancerAction",
                    "Only forward actions are supported by Network Load Balancers",  # (?)
                )
        elif protocol not in ("HTTP", "HTTPS"):
            raise errors.invalid(f"Listener protocol '{protocol}' must be one of 'HTTP, HTTPS'")
        if protocol == "HTTPS":
            if (params.get("MutualAuthentication") or {}).get("Mode", "off") != "off":
                raise NotImplementedByDrydock(
                    "elbv2", f"{operation} with MutualAuthentication", "There are no trust stores."
                )
            if params.get("AlpnPolicy"):
                raise errors.configuration("AlpnPolicy cannot be specified for HTTPS listeners")  # (?)
            return
        if params.get("Certificates"):
            raise errors.invalid(f"A certificate cannot be specified for {protocol} listeners")
        if params.get("SslPolicy"):
            raise errors.invalid(f"An SSL policy cannot be specified for {protocol} listeners")  # (?)
        for name in ("AlpnPolicy", "MutualAuthentication"):
            if params.get(name):
                raise errors.configuration(f"{name} cannot be specified for {protocol} listeners")  # (?)

    async def delete_listener(self, request: Request, params: Params) -> dict[str, Any]:
        """With its rules."""
        found = self.listener(request.scope, params["ListenerArn"])
        for rule in self.rules_of(request.scope, found.arn):
            self.rules.delete(request.scope, rule.arn)
        self.listeners.delete(request.scope, found.arn)
        await self.changed(request)
        return {}

    async def modify_listener(self, request: Request, params: Params) -> dict[str, Any]:
        """Its port, its default actions."""
        scope = request.scope
        found = self.listener(scope, params["ListenerArn"])
        balancer = self.balancer(scope, found.load_balancer_arn)
        protocol = params.get("Protocol") or found.protocol
        self._check_protocol(balancer.kind, protocol, params, "ModifyListener")
        arns, policy = self.secured(scope, found, params) if protocol == "HTTPS" else ([], "")
        port = params.get("Port") or found.port
        if any(o.port == port and o is not found for o in self.listeners_of(scope, balancer.arn)):
            code, message = errors.DUPLICATE_LISTENER
            raise AwsError(code, message.format(balancer.arn))
        actions = found.default_actions
        if params.get("DefaultActions"):
            actions = checks.actions_of(params["DefaultActions"], "ModifyListener")
            self.check_groups(scope, balancer, actions, protocol)
        moved = port != found.port
        found.port, found.default_actions = port, actions
        found.protocol, found.certificates, found.ssl_policy = protocol, arns, policy
        if moved:
            found.local_port = 0
        self.listeners.put(scope, found.arn, found)
        await self.changed(request)
        return {"Listeners": [found.describe()]}

    def describe_listeners(self, request: Request, params: Params) -> dict[str, Any]:
        """Of a load balancer, or by ARNs."""
        scope, arns = request.scope, params.get("ListenerArns") or []
        if arns:
            found = [self.listeners.get(scope, arn) for arn in arns]
            if None in found:
                raise AwsError(*errors.NO_LISTENERS)
            listed = [one for one in found if one is not None]
        elif params.get("LoadBalancerArn"):
            listed = self.listeners_of(scope, self.balancer(scope, params["LoadBalancerArn"]).arn)
        else:
            raise errors.invalid("You must specify either listener ARNs or a load balancer ARN")
        shown, more = self.page(listed, params)
        return {"Listeners": [one.describe() for one in shown], **more}

    def describe_listener_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """All, with their defaults."""
        found = self.listener(request.scope, params["ListenerArn"])
        return {"Attributes": attributes.shown(attributes.of_listener(found.protocol), found.attributes)}

    async def modify_listener_attributes(self, request: Request, params: Params) -> dict[str, Any]:
        """Those given; the others stay. Headers that AWS would add or rename are not there: ValidationError."""
        found = self.listener(request.scope, params["ListenerArn"])
        for pair in params["Attributes"]:
            if pair.get("Key", "").startswith(("routing.http.request.", "routing.http.response.")) and (
                pair["Key"] not in attributes.of_listener(found.protocol)
            ):
                raise NotImplementedByDrydock("elbv2", f"ModifyListenerAttributes with {pair['Key']}")
        given = attributes.checked(
            attributes.of_listener(found.protocol), params["Attributes"], "Listener", "ModifyListenerAttributes"
        )
        found.attributes = found.attributes | given
        self.listeners.put(request.scope, found.arn, found)
        await self.changed(request)
        return {"Attributes": attributes.shown(attributes.of_listener(found.protocol), found.attributes)}
