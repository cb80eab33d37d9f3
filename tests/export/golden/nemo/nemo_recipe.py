# Recipe for NeMo's Megatron Bridge, written by Tianji: torchrun ... nemo_recipe.py
#
# Job: llama-3.1-8b, sequences of 4,096 tokens, 64 a step, precision bf16.
# Pool: HGX H100, nodes of eight H100, 16 chips.
# Strategy: tp4 pp2 vpp2 dp2 mbs1 zero1 interleaved full-recompute-50% no-overlap-tp; 32 micro-batches a step.
# Rank order tp-cp-ep-dp-pp, the first changes fastest: the order that the plan was priced with. Consecutive ranks fill a node, then a unit of the tier 'NVLink', and so on outwards; keep the hosts in topology order.
import torch
from megatron.core.transformer.enums import AttnBackend
from megatron.bridge.models.gpt_provider import GPTModelProvider
from megatron.bridge.recipes.common import _pretrain_common
from megatron.bridge.training.comm_overlap import CommOverlapConfig
from megatron.bridge.training.config import ConfigContainer
from megatron.bridge.training.gpt_step import forward_step
from megatron.bridge.training.mixed_precision import get_mixed_precision_config
from megatron.bridge.training.pretrain import pretrain


def recipe() -> ConfigContainer:
    cfg = _pretrain_common()
    model = GPTModelProvider(num_layers=32, hidden_size=4096, num_attention_heads=32)
    model.num_layers = 32
    model.hidden_size = 4096
    model.ffn_hidden_size = 14336  # width of the dense MLP
    model.num_attention_heads = 32
    model.kv_channels = 128  # size of one head
    model.num_query_groups = 8  # key-value heads
    model.gated_linear_unit = True  # two input projections
    model.normalization = "RMSNorm"
    model.add_bias_linear = False
    model.position_embedding_type = "rope"
    model.seq_length = 4096
    model.vocab_size = 128256
    model.make_vocab_size_divisible_by = 1  # the plan counts no padding of the vocabulary
    model.share_embeddings_and_output_weights = False
    model.attention_dropout = 0.0
    model.hidden_dropout = 0.0
    model.tensor_model_parallel_size = 4
    model.pipeline_model_parallel_size = 2
    model.context_parallel_size = 1
    model.sequence_parallel = True
    model.recompute_granularity = "full"
    model.recompute_method = "block"
    model.recompute_num_layers = 4  # of each chunk
    model.attention_backend = AttnBackend.flash
    model.virtual_pipeline_model_parallel_size = 2
    model.pipeline_dtype = torch.bfloat16
    model.activation_func = torch.nn.functional.silu
    cfg.model = model
    cfg.ddp.use_distributed_optimizer = True  # ZeRO-1
    cfg.ddp.overlap_grad_reduce = True
    cfg.ddp.overlap_param_gather = True
    cfg.comm_overlap = CommOverlapConfig(tp_comm_overlap=False)
    cfg.mixed_precision = get_mixed_precision_config("bf16_mixed")
    cfg.mixed_precision.grad_reduce_in_fp32 = True
    cfg.train.micro_batch_size = 1
    cfg.train.global_batch_size = 64  # 32 micro-batches on each replica
    cfg.train.train_iters = 3814697
    cfg.dataset.seq_length = 4096
    cfg.dataset.blend = None  # FILL IN: ([paths of tokenised data], [weights]); None trains on mock data
    cfg.tokenizer.tokenizer_type = "NullTokenizer"  # FILL IN: your tokenizer
    cfg.tokenizer.vocab_size = 128256
    cfg.checkpoint.save = "checkpoints"  # FILL IN: folder for checkpoints
    return cfg


if __name__ == "__main__":
    pretrain(config=recipe(), forward_step_func=forward_step)
