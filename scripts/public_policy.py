"""Whether AWS calls a bucket policy public: looked for slowly, by trying the requests of strangers.

S3 user guide, "The meaning of public": a policy is public unless each of its Allows is limited to fixed
values of keys that name principals or networks. Here a stranger tries every value that a stranger may have
of each such key, or none at all, on every action and resource that an Allow speaks of. Where one request is
allowed, and not denied, the policy is public. What other keys say a stranger can arrange.

A policy a line on the standard input, `true` or `false` a line on the standard output.
"""

import ipaddress
import itertools
import json
import re
import sys

IDENTITY_KEYS = {
    "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
    "aws:principalservicename", "aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceorgid",
    "aws:sourceorgpaths", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid",
    "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths", "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
}
# What callers say of their own request: a statement that allows by it is not public, as AWS's page has it, but one
# that denies by it denies nothing to a stranger who says what it wants.
KMS_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
STRANGE = "stranger-999999999999"
MANY_ADDRESSES = {4: 2 ** 24, 6: 2 ** 96}


def many(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def text(value):
    return value if isinstance(value, str) else json.dumps(value)


def matches(pattern, value):
    expression = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def filled(pattern, filling):
    return pattern.replace("*", filling).replace("?", filling[:1] or "x")


def is_of_somebody(key, pattern):
    """Whether nobody else can have a value of this pattern."""
    if "${" in pattern or not pattern or pattern.lower() == "anonymous":
        return False
    if key == "aws:userid" and re.fullmatch(r"AROA[^*?:]*:\*", pattern):
        return True
    if key.endswith("orgpaths") and re.fullmatch(r"o-[^*?/]*/[^*?]*\*?", pattern):
        return True
    if key == "s3:dataaccesspointarn" and re.fullmatch(r"([^:]*:){4}[^*?:]+:.*", pattern):
        return True
    if key == "s3:dataaccesspointarn":
        return False
    return not re.search(r"[*?]", pattern) and not (key.endswith("orgpaths") and not pattern.startswith("o-"))


def stretches_of(ranges):
    """The stretches of addresses that ranges make up, as version, first and last."""
    networks = []
    for written in ranges:
        try:
            networks.append(ipaddress.ip_network(written, strict=False))
        except ValueError:
            # What is no range is nobody's own.
            networks.append(ipaddress.ip_network("0.0.0.0/0"))
    stretches = []
    for network in sorted(networks, key=lambda network: (network.version, int(network[0]))):
        first, last = int(network[0]), int(network[-1])
        if stretches and stretches[-1][0] == network.version and first <= stretches[-1][2] + 1:
            stretches[-1][2] = max(stretches[-1][2], last)
        else:
            stretches.append([network.version, first, last])
    return stretches


def is_broad(stretch):
    """Whether it is too long to be somebody's own."""
    version, first, last = stretch
    return last - first + 1 > MANY_ADDRESSES[version]


def addresses_of_strangers(conditions):
    """Addresses inside and outside of each condition's ranges that are in no stretch of somebody's own."""
    stretches = [stretch for ranges in conditions for stretch in stretches_of(ranges)]
    own = [stretch for stretch in stretches if not is_broad(stretch)]
    tried = [(4, int(ipaddress.ip_address("192.0.0.8"))), (6, int(ipaddress.ip_address("2a00::1")))]
    for version, first, last in stretches:
        tried += [(version, place) for place in (first, (first + last) // 2, last)]
    is_own = lambda version, place: any(
        version == stretch[0] and stretch[1] <= place <= stretch[2] for stretch in own)
    to_address = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}
    return [str(to_address[version](place)) for version, place in tried if not is_own(version, place)]


def values_of_strangers(key, statements):
    """What strangers may have, with `None` for a request that lacks the key."""
    conditions = [condition for statement in statements for condition in conditions_of(statement)]
    patterns = [value for _, name, values in conditions if name == key for value in values]
    if key == "aws:sourceip":
        return [None, *addresses_of_strangers([values for _, name, values in conditions if name == key])]
    theirs = [
        filled(pattern, filling)
        for pattern in patterns
        if not is_of_somebody(key, pattern)
        for filling in (STRANGE, "x")
    ]
    return [None, STRANGE, *theirs]


def has_address(written, address):
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return False
    address = ipaddress.ip_address(address)
    return address.version == network.version and address in network


def conditions_of(statement):
    for operator, keys in (statement.get("Condition") or {}).items():
        for key, values in keys.items():
            yield operator.lower(), key.lower(), [text(value) for value in many(values)]


def is_met(operator, key, values, request, by_allow):
    """Whether a request meets a condition; other keys are as the stranger wants them."""
    if key not in IDENTITY_KEYS or (key == KMS_KEY and not by_allow):
        return by_allow
    value = request[key]
    for prefix, without_value in (("foranyvalue:", False), ("forallvalues:", True)):
        if operator.startswith(prefix):
            if value is None:
                return without_value
            operator = operator[len(prefix):]
    if operator.endswith("ifexists"):
        if value is None:
            return True
        operator = operator[: -len("ifexists")]
    if operator == "null":
        return any((value is None) == (wanted.lower() == "true") for wanted in values)
    tests = {
        # AWS takes no value with a wildcard for a fixed one, also where it would stand for itself.
        "stringequals": lambda wanted: matches(wanted, value) or "${" in wanted,
        "stringequalsignorecase": lambda wanted: matches(wanted.lower(), value.lower()) or "${" in wanted,
        "stringlike": lambda wanted: matches(wanted, value) or "${" in wanted,
        "arnequals": lambda wanted: matches(wanted, value) or "${" in wanted,
        "arnlike": lambda wanted: matches(wanted, value) or "${" in wanted,
        "numericequals": lambda wanted: wanted == value,
        "ipaddress": lambda wanted: has_address(wanted, value),
    }
    if operator in tests:
        return value is not None and any(tests[operator](wanted) for wanted in values)
    if operator == "notipaddress":
        positive = "ipaddress"
    elif "not" in operator:
        positive = operator.replace("not", "", 1)
    else:
        return by_allow
    if positive not in tests:
        return by_allow
    return value is None or not any(tests[positive](wanted) for wanted in values)


def is_for(statement, kind):
    """Whether a statement speaks of strangers of a kind: AWS, Service, Federated. "*" and {"AWS": "*"} are
    the same, and a Deny for them is for services, too."""
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal")
    kinds = principal if isinstance(principal, dict) else {"AWS": principal}
    is_for_all = "*" in many(kinds.get("AWS"))
    is_web_identity = any(not name.startswith("arn:") for name in many(kinds.get("Federated")))
    return is_for_all or "*" in many(kinds.get(kind)) or (kind == "Federated" and is_web_identity)


def speaks_of(statement, element, value):
    if f"Not{element}" in statement:
        return not any(matches(pattern, value) for pattern in many(statement[f"Not{element}"]))
    return any(matches(text(pattern), value) for pattern in many(statement.get(element, "*")))


def spoken_of(statements, element):
    """Things that the statements tell apart."""
    patterns = {
        text(pattern)
        for statement in statements
        for name in (element, f"Not{element}")
        for pattern in many(statement.get(name))
    }
    usual = {"Action": {"s3:getobject", "s3:putobject", "s3:listbucket"}, "Resource": set()}[element]
    return usual | {filled(pattern, filling) for pattern in patterns for filling in ("", "x", "zy")}


def is_public(policy):
    statements = []
    for statement in many(policy.get("Statement")):
        # Actions are compared without regard to case.
        small = {name: [text(each).lower() for each in many(statement[name])]
                 for name in ("Action", "NotAction") if name in statement}
        statements.append({**statement, **small})
    denies = [statement for statement in statements if statement["Effect"] == "Deny"]
    return any(
        is_open(statement, denies, kind)
        for statement in statements
        if statement["Effect"] == "Allow"
        for kind in ("AWS", "Service", "Federated")
        if is_for(statement, kind)
    )


def is_open(allow, denies, kind):
    denies = [deny for deny in denies if is_for(deny, kind)]
    about = [allow, *denies]
    keys = sorted({key for each in about for _, key, _ in conditions_of(each)} & IDENTITY_KEYS)
    actions = [action for action in spoken_of(about, "Action") if speaks_of(allow, "Action", action)]
    resources = [value for value in spoken_of(about, "Resource") if speaks_of(allow, "Resource", value)]
    for values in itertools.product(*(values_of_strangers(key, about) for key in keys)):
        request = dict(zip(keys, values))
        if not all(is_met(*condition, request, True) for condition in conditions_of(allow)):
            continue
        denying = [
            deny for deny in denies
            if all(is_met(*condition, request, False) for condition in conditions_of(deny))
        ]
        for action, resource in itertools.product(actions or ["s3:getobject"], resources or ["x"]):
            denied = (speaks_of(deny, "Action", action) and speaks_of(deny, "Resource", resource)
                      for deny in denying)
            if not any(denied):
                return True
    return False


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(is_public(json.loads(line))), flush=True)
