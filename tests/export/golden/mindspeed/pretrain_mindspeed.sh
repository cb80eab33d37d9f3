#!/usr/bin/env bash
# Launch script for MindSpeed-LLM, written by Tianji. Start it on every node, from MindSpeed-LLM's folder.
#
# Job: deepseek-v3, sequences of 4,096 tokens, 64 a step, precision bf16.
# Pool: Atlas 950 SuperPoD, 8,192 Ascend 950DT (as announced in 2025), 16 chips.
# Strategy: pp4 ep4 dp4 mbs1 zero1 1f1b selective-recompute no-overlap-tp; 16 micro-batches a step.
# Rank order tp-cp-ep-dp-pp, the first changes fastest: the order that the plan was priced with. Consecutive ranks fill a node, then a unit of the tier 'host (X)', and so on outwards; keep the hosts in topology order.
# Note: Without interleaving it sends activations between stages without overlap; the plan counts overlap.
set -euo pipefail

# --- fill in: set these in the environment, or edit them here
NODE_RANK="${NODE_RANK:-${SLURM_NODEID:?FILL IN: number of this node, from 0, in topology order}}"
MASTER_ADDR="${MASTER_ADDR:?FILL IN: address of the node with NODE_RANK 0}"
DATA_PATH="${DATA_PATH:?FILL IN: prefix of the tokenised data, without .bin}"
TOKENIZER_MODEL="${TOKENIZER_MODEL:?FILL IN: folder or name of the Hugging Face tokenizer}"
CHECKPOINT_PATH="${CHECKPOINT_PATH:?FILL IN: folder for checkpoints}"

# --- environment
export CUDA_DEVICE_MAX_CONNECTIONS=1            # Megatron asks for it, on NPUs too
export HCCL_BUFFSIZE=400                        # MB; each communicator takes twice that (default 200)
export HCCL_CONNECT_TIMEOUT=1200                # seconds until all ranks must have met (default 120)
export HCCL_EXEC_TIMEOUT=1836                   # seconds until a silent peer counts as lost (the default)
export HCCL_DETERMINISTIC=false                 # true repeats sums bit by bit, at a price
export PYTORCH_NPU_ALLOC_CONF=expandable_segments:True  # less fragmentation; the plan counts none
export TASK_QUEUE_ENABLE=2                      # launch operators ahead of the chip
export OMP_NUM_THREADS=1                        # the host's cores are for the chips' launch threads

# --- one process on each chip
DISTRIBUTED_ARGS=(
    --nproc-per-node 8                          # chips of a node
    --nnodes 2
    --node-rank "${NODE_RANK}"
    --master-addr "${MASTER_ADDR}"
    --master-port 29500
)

# --- model
MODEL_ARGS=(
    --use-mcore-models
    --transformer-impl local
    --num-layers 61
    --hidden-size 7168
    --ffn-hidden-size 18432                     # width of the dense MLP
    --num-attention-heads 128
    --multi-latent-attention
    --q-lora-rank 1536
    --kv-lora-rank 512
    --qk-head-dim 128
    --qk-pos-emb-head-dim 64
    --v-head-dim 128
    --qk-layernorm
    --swiglu                                    # two input projections
    --normalization RMSNorm
    --disable-bias-linear
    --position-embedding-type rope
    --max-position-embeddings 163840
    --num-experts 256
    --moe-router-topk 8
    --moe-ffn-hidden-size 2048                  # width of one expert
    --moe-layer-freq '[0]*3+[1]*58'             # 0: dense layer, 1: MoE layer
    --moe-grouped-gemm
    --moe-token-dispatcher-type alltoall
    --moe-shared-expert-intermediate-size 2048  # all shared experts together
    --moe-router-enable-expert-bias
    --moe-router-score-function sigmoid         # which the expert bias needs
    --mtp-num-layers 1
    --seq-length 4096
    --vocab-size 129280
    --make-vocab-size-divisible-by 1            # the plan counts no padding of the vocabulary
    --untie-embeddings-and-output-weights
    --attention-dropout 0.0
    --hidden-dropout 0.0
)

# --- strategy
PARALLEL_ARGS=(
    --tensor-model-parallel-size 1
    --pipeline-model-parallel-size 4
    --num-layer-list 15,16,15,15                # layers of each stage
    --context-parallel-size 1
    --expert-model-parallel-size 4
    --expert-tensor-parallel-size 1
)

# --- sharding and recomputation
MEMORY_ARGS=(
    --use-distributed-optimizer                 # ZeRO-1
    --recompute-norm                            # drop the outputs of the norms
    --recompute-activation-function             # and of the activation function
    --use-flash-attn
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
    --global-batch-size 64                      # 16 micro-batches on each replica
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
    --tokenizer-type PretrainedFromHF
    --tokenizer-name-or-path "${TOKENIZER_MODEL}"
    --save "${CHECKPOINT_PATH}"
    --load "${CHECKPOINT_PATH}"
    --save-interval 1000                        # `tianji` recommends an interval from the pool's failure rate
    --ckpt-format torch
    --eval-iters 0
    --log-interval 1
    --distributed-timeout-minutes 60
    --distributed-backend nccl                  # MindSpeed maps it to HCCL
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
