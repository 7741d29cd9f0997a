#!/bin/sh
# Writes discv5pb/ from the contract. Needs the packages of requirements-generate.txt; PYTHON names the interpreter that has them.
set -eu
cd "$(dirname "$0")"
contract=${1:-../../../sdk/pluginpb}
rm -rf discv5pb
mkdir discv5pb
: >discv5pb/__init__.py
"${PYTHON:-python3}" -m grpc_tools.protoc "-Idiscv5pb=$contract" --python_out=. --grpc_python_out=. \
  discv5pb/plugin.proto discv5pb/talk.proto discv5pb/filter.proto discv5pb/store.proto discv5pb/host.proto discv5pb/methods.proto
