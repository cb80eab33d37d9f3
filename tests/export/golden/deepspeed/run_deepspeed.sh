#!/usr/bin/env bash
# Launcher for DeepSpeed, written by Tianji. Start it on every node, in this folder.
#
# Job: llama-3.1-8b, sequences of 4,096 tokens, 64 a step, precision bf16.
# Pool: HGX H100, nodes of eight H100, 16 chips.
# Strategy: dp16 mbs1 zero3 no-overlap-tp; 4 micro-batches a step.
# Rank order tp-cp-ep-dp-pp, the first changes fastest: the order that the plan was priced with. Consecutive ranks fill a node, then a unit of the tier 'NVLink', and so on outwards; keep the hosts in topology order.
set -euo pipefail

# --- fill in: set these in the environment, or edit them here
NODE_RANK="${NODE_RANK:-${SLURM_NODEID:?FILL IN: number of this node, from 0, in topology order}}"
MASTER_ADDR="${MASTER_ADDR:?FILL IN: address of the node with NODE_RANK 0}"
TRAIN_SCRIPT="${TRAIN_SCRIPT:?FILL IN: the training script that calls deepspeed.initialize}"

# --- environment
export CUDA_DEVICE_MAX_CONNECTIONS=32           # several queues: FSDP and overlapped expert exchange
export NCCL_DEBUG=WARN                          # say what goes wrong and nothing else
export TORCH_NCCL_ASYNC_ERROR_HANDLING=1        # a lost peer ends the job in place of hanging it
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True  # less fragmentation; the plan counts none
export OMP_NUM_THREADS=1                        # the host's cores are for the chips' launch threads

# --- one process on each chip
DEEPSPEED_ARGS=(
    --num_gpus 8                                # chips of a node
    --num_nodes 2
    --no_ssh                                    # started on every node by itself
    --node_rank "${NODE_RANK}"
    --master_addr "${MASTER_ADDR}"
    --master_port 29500
)

deepspeed \
    "${DEEPSPEED_ARGS[@]}" \
    "${TRAIN_SCRIPT}" \
    --deepspeed --deepspeed_config ds_config.json "$@"
