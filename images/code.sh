#!/bin/sh
# code.sh: put Logwarden itself, without any other package, into /opt/code, laid out like the environment
# /opt/logwarden that it is copied over. For a stage of images/Dockerfile.
set -eu

site=$(echo /opt/logwarden/lib/python3*/site-packages)
/opt/logwarden/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-compile .
/opt/logwarden/bin/python -m compileall -q "$site"/logwarden "$site"/logwarden_operator
mkdir -p /opt/code/bin "/opt/code/${site#/opt/logwarden/}"
cp -a /opt/logwarden/bin/logwarden /opt/code/bin/
cp -a "$site"/logwarden "$site"/logwarden_operator "$site"/logwarden-*.dist-info "/opt/code/${site#/opt/logwarden/}"
