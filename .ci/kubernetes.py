#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Are the objects of Kubernetes in these files such that its API takes them?

usage: kubernetes.py MODELS FILE...

MODELS is the directory of models of Debian's python3-kubernetes, which is generated from the
OpenAPI description of that API, release 1.22: of each object it has the fields, their types, and
which have to be there. They are read here, not imported, which takes a second. And what one
part of an object says of another has to be so: mounts have a volume, selectors select.
"""

import ast
import os
import re
import sys

import yaml

PLAIN = {'str': str, 'int': int, 'float': (int, float), 'bool': bool, 'datetime': str}
MISSING = re.compile(r'Invalid value for `(\w+)`, must not be `None`')


class Once(yaml.SafeLoader):
    """As YAML is, but a key may not come twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f'{key} is there twice, {node.start_mark}')
        return super().construct_mapping(node, deep)


class Models:
    """What the generated classes say."""

    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, '__init__.py'), encoding='utf-8') as init:
            self.modules = dict(reversed(line) for line in re.findall(
                r'^from kubernetes\.client\.models\.(\w+) import (\w+)', init.read(), re.M))
        self.known = {}

    def fields(self, name):
        """Of a class: {key: (type, whether it has to be there)}; None if there is no such."""
        if name not in self.known:
            self.known[name] = self.read(name) if name in self.modules else None
        return self.known[name]

    def read(self, name):
        """The same, from its source."""
        path = os.path.join(self.directory, self.modules[name] + '.py')
        with open(path, encoding='utf-8') as source:
            text = source.read()
        tables = {}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and \
                    isinstance(node.value, ast.Dict):
                tables[node.targets[0].id] = ast.literal_eval(node.value)
        needed = set(MISSING.findall(text))
        return {key: (tables['openapi_types'][attribute], attribute in needed)
                for attribute, key in tables['attribute_map'].items()}


class Checker:
    """One file's objects."""

    def __init__(self, models, path):
        self.models = models
        self.path = path
        self.faults = 0

    def fault(self, where, text):
        """Tells of one."""
        print(f'{self.path}: {where}: {text}')
        self.faults += 1

    def value(self, what, kind, where):
        """Is @what of that type?"""
        many = re.fullmatch(r'list\[(.*)\]', kind)
        by_name = re.fullmatch(r'dict\(str, (.*)\)', kind)
        if kind == 'object':
            return
        if many and isinstance(what, list):
            for i, one in enumerate(what):
                self.value(one, many.group(1), f'{where}[{i}]')
        elif by_name and isinstance(what, dict):
            for key, one in what.items():
                self.value(key, 'str', f'{where}, a key')
                self.value(one, by_name.group(1), f'{where}.{key}')
        elif kind in PLAIN:
            if not isinstance(what, PLAIN[kind]) or (isinstance(what, bool) and kind != 'bool'):
                self.fault(where, f'{what!r} is no {kind}')
        elif many or by_name or not isinstance(what, dict):
            self.fault(where, f'{what!r} is no {kind}')
        else:
            self.object(what, kind, where)

    def object(self, what, kind, where):
        """Has @what the fields of that class, and those only?"""
        fields = self.models.fields(kind)
        if fields is None:
            self.fault(where, f'there is no {kind}')
            return
        for key in what:
            if key in fields:
                self.value(what[key], fields[key][0], f'{where}.{key}')
            else:
                self.fault(where, f'{kind} has no {key}')
        for key, (_, needed) in fields.items():
            if needed and what.get(key) is None:
                self.fault(where, f'{kind} has to have {key}')

    def pod(self, spec, where):
        """Is what is mounted there?"""
        volumes = {volume.get('name') for volume in spec.get('volumes', [])}
        for container in spec.get('initContainers', []) + spec.get('containers', []):
            for mount in container.get('volumeMounts', []):
                if mount.get('name') not in volumes:
                    self.fault(where, f'{container.get("name")} mounts {mount.get("name")}, '
                                      'which is no volume')

    def document(self, what, where):
        """One object: pods, and what makes pods."""
        if not isinstance(what, dict) or not {'apiVersion', 'kind', 'metadata'} <= what.keys():
            self.fault(where, 'no object: apiVersion, kind and metadata are wanted')
            return
        version = what['apiVersion'].split('/')[-1]
        name = version[0].upper() + version[1:] + what['kind']
        self.object(what, name, what['kind'])
        spec = what.get('spec') or {}
        template = spec.get('template')
        if what['kind'] == 'Pod':
            self.pod(spec, what['kind'])
        if not template:
            return
        labels = (template.get('metadata') or {}).get('labels') or {}
        wanted = (spec.get('selector') or {}).get('matchLabels') or {}
        if not wanted.items() <= labels.items():
            self.fault(what['kind'], f'its selector {wanted} does not select {labels}')
        self.pod(template.get('spec') or {}, what['kind'])

    def check(self):
        """How many faults the file has."""
        try:
            with open(self.path, encoding='utf-8') as text:
                documents = list(yaml.load_all(text, Once))
        except yaml.YAMLError as error:
            documents = []
            self.fault('YAML', error)
        for i, document in enumerate(documents):
            try:
                self.document(document, f'object {i + 1}')
            except (AttributeError, TypeError) as error:
                self.fault(f'object {i + 1}', f'is not built as one: {error}')
        return self.faults


def main():
    """The exit status."""
    models = Models(sys.argv[1])
    return any([Checker(models, path).check() for path in sys.argv[2:]])


if __name__ == '__main__':
    sys.exit(main())
