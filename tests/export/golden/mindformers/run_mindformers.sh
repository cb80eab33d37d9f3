#!/usr/bin/env bash
# Launcher for MindSpore Transformers, written by Tianji. Start it on every node, from its folder.
#
# Job: deepseek-v3, sequences of 4,096 tokens, 64 a step, precision bf16.
# Pool: Atlas 950 SuperPoD, 8,192 Ascend 950DT (as announced in 2025), 16 chips.
# Strategy: pp4 ep4 dp4 mbs1 zero1 1f1b full-recompute no-overlap-tp; 16 micro-batches a step.
# Rank order tp-cp-ep-dp-pp, the first changes fastest: the order that the plan was priced with. Consecutive ranks fill a node, then a unit of the tier 'host (X)', and so on outwards; keep the hosts in topology order.
# Note: MindSpore keeps fp32 parameters and gradients; the plan counts a copy in the compute dtype beside them.
set -euo pipefail

# --- fill in: set these in the environment, or edit them here
NODE_RANK="${NODE_RANK:-${SLURM_NODEID:?FILL IN: number of this node, from 0, in topology order}}"
MASTER_ADDR="${MASTER_ADDR:?FILL IN: address of the node with NODE_RANK 0}"

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
MSRUN_ARGS=(
    --worker_num 16
    --local_worker_num 8                        # chips of a node
    --master_addr "${MASTER_ADDR}"
    --master_port 29500
    --node_rank "${NODE_RANK}"
    --log_dir ./output/log
    --join True
    --cluster_time_out 7200
)

msrun \
    "${MSRUN_ARGS[@]}" \
    run_mindformer.py \
    --config mindformers.yaml "$@"
