#!/bin/sh
# install.sh EXTRA: put Logwarden with one of its extras into /opt/logwarden, an environment without pip, and take out
# what no running program reads. For the first stage of an image.
set -eu

extra=$1
python -m venv --without-pip /opt/logwarden
python -m pip --python /opt/logwarden install --no-cache-dir --no-compile --disable-pip-version-check \
    --constraint constraints.txt ".[$extra]"

cd /opt/logwarden
site=$(echo lib/python3*/site-packages)
# Tests and headers of the largest libraries.
for name in pandas numpy pyarrow sklearn; do
    [ -d "$site/$name" ] && find "$site/$name" -type d -name tests -prune -exec rm -rf {} +
done
rm -rf "$site"/pyarrow/include "$site"/pyarrow/src "$site"/numpy/_core/include
# Compiled here, since the file system of a running container cannot be written.
python -m compileall -q -j 0 "$site"
