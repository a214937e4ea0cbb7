#!/bin/sh
# slim.sh EXTRA: take out of /opt/logwarden what no program of this extra reads, and compile what is left. For a stage
# of images/Dockerfile. GPU=no also takes out what only GPUs use.
set -eu

extra=$1
cd /opt/logwarden
site=$(echo "$PWD"/lib/python3*/site-packages)
rm -rf "$site"/pip "$site"/pip-* "$site"/uv "$site"/uv-* bin/pip* bin/uv* bin/activate* bin/Activate*

[ "$extra" = train ] || rm -rf "$site"/setuptools* "$site"/pkg_resources "$site"/_distutils_hack* "$site"/distutils-*

# Tests, headers and sources of the largest libraries; ways to storage and networks that nothing here takes.
for name in pandas numpy pyarrow sklearn scipy; do
    [ ! -d "$site/$name" ] || find "$site/$name" -type d -name tests -prune -exec rm -rf {} +
done
rm -rf "$site"/pyarrow/include "$site"/pyarrow/src "$site"/numpy/_core/include "$site"/numpy/_core/lib "$site"/sqlalchemy/testing
rm -f "$site"/pyarrow/libarrow_python*.so "$site"/pyarrow/libarrow_python*.so.*.*
for name in flight s3 s3fs gcsfs azurefs hdfs; do
    rm -f "$site"/pyarrow/*libarrow_"$name".so* "$site"/pyarrow/libarrow_python_"$name".so* \
        "$site"/pyarrow/_"$name".*
done
find "$site" -name '*.pyx' -delete -o -name '*.pxi' -delete -o -name '*.hpp' -delete

# What describes Amazon's other services.
[ ! -d "$site/botocore/data" ] || find "$site"/botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts \
    -exec rm -rf {} +

if [ "$extra" = detect ]; then
    # Tools for making models, and faster downloads from Hugging Face: it goes without.
    rm -rf "$site"/onnxruntime/transformers "$site"/onnxruntime/quantization "$site"/onnxruntime/tools
    rm -rf "$site"/hf_xet "$site"/hf_xet-*
    bin/python -c "import huggingface_hub, onnxruntime, s3fs, tokenizers"
fi
if [ "$extra" = dashboard ]; then
    # Charts that no page uses.
    rm -rf "$site"/pydeck share/jupyter
    for name in PlotlyChart DeckGlJsonChart EChartsChart; do
        rm -f "$site"/streamlit/static/static/js/"$name".*.js
    done
    bin/python -c "import altair, pandas, pyarrow.compute, streamlit"
fi
if [ "${GPU:-yes}" = no ]; then
    rm -rf "$site"/triton "$site"/torch/include "$site"/torch/lib/libtorch_cuda_linalg.so
    find "$site"/nvidia \( -name 'libcudnn_*.so*' -o -name 'libcusolver*.so*' -o -name 'libnvperf*' \
        -o -name 'include' -o -name '*.a' -o -name 'bin' \) -prune -exec rm -rf {} +
fi

# Compiled here, since the file system of a running container cannot be written. Torch's own tests want newer Pythons.
bin/python -m compileall -q -j 0 -x 'torch/testing/_internal' "$site"
