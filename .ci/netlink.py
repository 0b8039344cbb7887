#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does the module do what Documentation/netlink/specs/knell.yaml says?

The header is made of it (Documentation/netlink/generate.sh), policies and messages are not: of
each request the policy has to have its attributes and no others, with their types and checks, and
each attribute that is told has to be written by the function for its type.
"""

import re
import sys

import yaml

SPEC = 'Documentation/netlink/specs/knell.yaml'
POLICIES = 'kmod/netlink.c'
WRITERS = ('kmod/nl_put.c', 'kmod/nl_dump.c', 'kmod/monitor.c')

PUT = {
    'u32': ('nla_put_u32',),
    'u64': ('nla_put_u64_64bit',),
    'string': ('nla_put_string', 'knell_put_comm'),
    'flag': ('nla_put_flag',),
    'nest': ('nla_nest_start',),
}

faults = []


def fault(text):
    faults.append(text)


def upper(name):
    return name.upper().replace('-', '_')


def policy_entry(attr):
    kind = f"NLA_{attr['type'].upper()}"
    checks = attr.get('checks', {})
    if list(checks) == ['min']:
        return f"NLA_POLICY_MIN({kind}, {checks['min']})"
    if checks:
        fault(f"{attr['name']}: checks that this script does not know: {checks}")
    return f"{{ .type = {kind} }}"


def policies(source):
    """Policy by command, as knell_nl_ops has them."""
    tables = {}
    for name, body in re.findall(r'nla_policy (\w+)\[\] = \{\n(.*?)\n\};', source, re.S):
        tables[name] = dict(re.findall(r'\[(\w+)\] = (.*),', body))
    found = {}
    for body in re.findall(r'\{\n(\t\t\.cmd = .*?)\n\t\}', source, re.S):
        cmd = re.search(r'\.cmd = (\w+)', body)[1]
        policy = re.search(r'\.policy = (\w+)', body)[1]
        if f'.maxattr = ARRAY_SIZE({policy}) - 1' not in body:
            fault(f'{cmd}: .maxattr is not that of {policy}')
        found[cmd] = tables[policy]
    return found


def requests(spec, sets):
    """What each command takes, asked and dumped together: the kernel has one policy for both."""
    wanted = {}
    for op in spec['operations']['list']:
        names = []
        for way in ('do', 'dump'):
            names += op.get(way, {}).get('request', {}).get('attributes', [])
        if 'do' in op or 'dump' in op:
            space = op['attribute-set']
            wanted['KNELL_CMD_' + upper(op['name'])] = {
                f'KNELL_A_{upper(space)}_{upper(n)}': policy_entry(sets[space][n]) for n in names}
    return wanted


def compare_policies(spec, sets):
    with open(POLICIES, encoding='utf-8') as file:
        found = policies(file.read())
    wanted = requests(spec, sets)
    for cmd in sorted(set(found) | set(wanted)):
        if found.get(cmd) != wanted.get(cmd):
            fault(f'{cmd}: the specification has {wanted.get(cmd)}, {POLICIES} {found.get(cmd)}')


def told(spec):
    for op in spec['operations']['list']:
        for body in (op.get('do', {}).get('reply'), op.get('dump', {}).get('reply'),
                     op.get('event')):
            for name in (body or {}).get('attributes', []):
                yield op['attribute-set'], name


def compare_writers(spec, sets):
    source = ''
    for path in WRITERS:
        with open(path, encoding='utf-8') as file:
            source += file.read()
    wanted = set(told(spec))
    for space, name in list(wanted):
        nested = sets[space][name].get('nested-attributes')
        if nested:
            wanted |= {(nested, inner) for inner in sets[nested]}
    for space, name in sorted(wanted):
        const = f'KNELL_A_{upper(space)}_{upper(name)}'
        calls = '|'.join(PUT[sets[space][name]['type']])
        if not re.search(rf'\b({calls})\(skb, {const}\b', source):
            fault(f'{const}: not written by {calls}()')


def main():
    with open(SPEC, encoding='utf-8') as file:
        spec = yaml.safe_load(file)
    sets = {s['name']: {a['name']: a for a in s['attributes']} for s in spec['attribute-sets']}
    compare_policies(spec, sets)
    compare_writers(spec, sets)
    for text in faults:
        print(text, file=sys.stderr)
    return 1 if faults else 0


sys.exit(main())
