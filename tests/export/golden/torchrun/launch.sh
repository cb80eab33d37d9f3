#!/usr/bin/env bash
# Launcher with torchrun, written by Tianji. Start it on every node, in this folder.
#
# Job: llama-3.1-8b, sequences of 4,096 tokens, 64 a step, precision bf16.
# Pool: HGX H100, nodes of eight H100, 16 chips.
# Strategy: tp4 pp2 vpp2 dp2 mbs1 zero1 interleaved full-recompute-50% no-overlap-tp; 32 micro-batches a step.
# Rank order tp-cp-ep-dp-pp, the first changes fastest: the order that the plan was priced with. Consecutive ranks fill a node, then a unit of the tier 'NVLink', and so on outwards; keep the hosts in topology order.
# Note: The training script builds the strategy itself: from plan.json, or from the variables TIANJI_*.
set -euo pipefail

# --- fill in: set these in the environment, or edit them here
NODE_RANK="${NODE_RANK:-${SLURM_NODEID:?FILL IN: number of this node, from 0, in topology order}}"
MASTER_ADDR="${MASTER_ADDR:?FILL IN: address of the node with NODE_RANK 0}"
TRAIN_SCRIPT="${TRAIN_SCRIPT:?FILL IN: the training script that torchrun starts}"

# --- environment
export TIANJI_PLAN=plan.json                    # the whole plan
export TIANJI_GLOBAL_BATCH_SIZE=64
export TIANJI_SEQ_LEN=4096
export TIANJI_PRECISION=bf16
export TIANJI_TP=4
export TIANJI_PP=2
export TIANJI_VPP=2
export TIANJI_CP=1
export TIANJI_EP=1
export TIANJI_ETP=1
export TIANJI_DP=2
export TIANJI_MICRO_BATCH_SIZE=1
export TIANJI_ZERO=1
export TIANJI_ZERO_GROUP=0
export TIANJI_SEQUENCE_PARALLEL=on
export TIANJI_RECOMPUTE=full
export TIANJI_RECOMPUTE_LAYERS=0.5
export TIANJI_SCHEDULE=interleaved
export TIANJI_CP_KIND=ring
export TIANJI_OVERLAP_DP=on
export TIANJI_OVERLAP_TP=off
export TIANJI_OVERLAP_PP=on
export TIANJI_OVERLAP_EP=off
export TIANJI_FLASH_ATTENTION=on
export TIANJI_OFFLOAD_OPTIMIZER=off
export TIANJI_PLACEMENT=dp-inside
export CUDA_DEVICE_MAX_CONNECTIONS=1            # one queue: kernels keep their order
export NCCL_DEBUG=WARN                          # say what goes wrong and nothing else
export TORCH_NCCL_ASYNC_ERROR_HANDLING=1        # a lost peer ends the job in place of hanging it
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True  # less fragmentation; the plan counts none
export OMP_NUM_THREADS=1                        # the host's cores are for the chips' launch threads

# --- one process on each chip
DISTRIBUTED_ARGS=(
    --nproc-per-node 8                          # chips of a node
    --nnodes 2
    --node-rank "${NODE_RANK}"
    --master-addr "${MASTER_ADDR}"
    --master-port 29500
)

torchrun \
    "${DISTRIBUTED_ARGS[@]}" \
    "${TRAIN_SCRIPT}" "$@"
