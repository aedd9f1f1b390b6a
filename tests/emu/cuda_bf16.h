/* cuda_bf16.h - NVIDIA's type and its conversions, for the emulator. */
#ifndef EMU_CUDA_BF16_H
#define EMU_CUDA_BF16_H

#include "util/num.h"

struct __nv_bfloat16 { bf16 bits; };
static inline float __bfloat162float(__nv_bfloat16 x) { return bf16_to_f32(x.bits); }
static inline __nv_bfloat16 __float2bfloat16_rn(float x) { return {f32_to_bf16(x)}; }

#endif
