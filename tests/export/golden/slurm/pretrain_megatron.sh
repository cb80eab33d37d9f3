#!/usr/bin/env bash
# Launch script for Megatron-LM, written by Tianji. Start it on every node, from Megatron-LM's folder.
#
# Job: llama-3.1-8b, sequences of 4,096 tokens, 64 a step, precision bf16.
# Pool: GB200 NVL72, 16 chips.
# Strategy: tp4 pp2 vpp2 dp2 mbs1 zero1 interleaved full-recompute-50% no-overlap-tp; 32 micro-batches a step.
# Rank order tp-cp-ep-dp-pp, the first changes fastest: the order that the plan was priced with. Consecutive ranks fill a node, then a unit of the tier 'NVLink', and so on outwards; keep the hosts in topology order.
set -euo pipefail

# --- fill in: set these in the environment, or edit them here
NODE_RANK="${NODE_RANK:-${SLURM_NODEID:?FILL IN: number of this node, from 0, in topology order}}"
MASTER_ADDR="${MASTER_ADDR:?FILL IN: address of the node with NODE_RANK 0}"
DATA_PATH="${DATA_PATH:?FILL IN: prefix of the tokenised data, without .bin}"
TOKENIZER_MODEL="${TOKENIZER_MODEL:?FILL IN: folder or name of the Hugging Face tokenizer}"
CHECKPOINT_PATH="${CHECKPOINT_PATH:?FILL IN: folder for checkpoints}"

# --- environment
export CUDA_DEVICE_MAX_CONNECTIONS=1            # one queue: kernels keep their order
export NCCL_DEBUG=WARN                          # say what goes wrong and nothing else
export TORCH_NCCL_ASYNC_ERROR_HANDLING=1        # a lost peer ends the job in place of hanging it
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True  # less fragmentation; the plan counts none
export OMP_NUM_THREADS=1                        # the host's cores are for the chips' launch threads

# --- one process on each chip
DISTRIBUTED_ARGS=(
    --nproc-per-node 4                          # chips of a node
    --nnodes 4
    --node-rank "${NODE_RANK}"
    --master-addr "${MASTER_ADDR}"
    --master-port 29500
)

# --- model
MODEL_ARGS=(
    --transformer-impl transformer_engine
    --num-layers 32
    --hidden-size 4096
    --ffn-hidden-size 14336                     # width of the dense MLP
    --num-attention-heads 32
    --kv-channels 128                           # size of one head
    --group-query-attention
    --num-query-groups 8                        # key-value heads
    --swiglu                                    # two input projections
    --normalization RMSNorm
    --disable-bias-linear
    --position-embedding-type rope
    --max-position-embeddings 131072
    --seq-length 4096
    --vocab-size 128256
    --make-vocab-size-divisible-by 1            # the plan counts no padding of the vocabulary
    --untie-embeddings-and-output-weights
    --attention-dropout 0.0
    --hidden-dropout 0.0
)

# --- strategy
PARALLEL_ARGS=(
    --tensor-model-parallel-size 4
    --pipeline-model-parallel-size 2
    --num-layers-per-virtual-pipeline-stage 8   # 2 chunks on each pipeline rank
    --context-parallel-size 1
    --sequence-parallel
)

# --- sharding and recomputation
MEMORY_ARGS=(
    --use-distributed-optimizer                 # ZeRO-1
    --recompute-granularity full
    --recompute-method block
    --recompute-num-layers 4                    # of each chunk
    --attention-backend flash
)

# --- communication beside computation
OVERLAP_ARGS=(
    --overlap-grad-reduce
    --overlap-param-gather
)

# --- number formats
PRECISION_ARGS=(
    --bf16
)

# --- batch and optimizer
TRAINING_ARGS=(
    --micro-batch-size 1
    --global-batch-size 64                      # 32 micro-batches on each replica
    --train-iters 3814697                       # 1e+12 tokens
    --optimizer adam
    --lr 0.0003                                 # yours to choose: learning rate and its schedule say nothing about speed
    --min-lr 3e-05
    --lr-decay-style cosine
    --lr-warmup-fraction 0.01
    --weight-decay 0.1
    --adam-beta1 0.9
    --adam-beta2 0.95
    --clip-grad 1.0
)

# --- data, checkpoints and log
DATA_ARGS=(
    --data-path "${DATA_PATH}"
    --split 99,1,0
    --tokenizer-type HuggingFaceTokenizer
    --tokenizer-model "${TOKENIZER_MODEL}"
    --save "${CHECKPOINT_PATH}"
    --load "${CHECKPOINT_PATH}"
    --save-interval 1000                        # `tianji` recommends an interval from the pool's failure rate
    --ckpt-format torch_dist
    --eval-iters 0
    --log-interval 1
    --distributed-timeout-minutes 60
    --distributed-backend nccl
)

torchrun \
    "${DISTRIBUTED_ARGS[@]}" \
    pretrain_gpt.py \
    "${MODEL_ARGS[@]}" \
    "${PARALLEL_ARGS[@]}" \
    "${MEMORY_ARGS[@]}" \
    "${OVERLAP_ARGS[@]}" \
    "${PRECISION_ARGS[@]}" \
    "${TRAINING_ARGS[@]}" \
    "${DATA_ARGS[@]}" "$@"
