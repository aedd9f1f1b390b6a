/* base_ops.c - the ops for what every processor of the architecture has, and the scratch memory of both vector tiers. */
#define TIER base
#include "kernels/cpu/tier_all.inc"

static size_t ffn_bytes(const Dims *d, int F, int rows, int of_chunk, int groups, int threads)
{
    Bump forward = {0}, backward = {0};
    ffn_carve(&(Mlp){0}, &forward, d->D, F, most_blocks(rows, groups * d->chunks), threads);
    ffn_carve(&(Mlp){0}, &backward, d->D, F, most_blocks(of_chunk, groups), threads);
    ffn_bwd_carve(&(Mlp){0}, &backward, d->D, F, of_chunk, groups);
    return forward.at > backward.at ? forward.at : backward.at;
}

size_t base_scratch_bytes(const Dims *d, int threads)
{
    enum { EMBED, LINEAR, NORM, ATTENTION, ROUTE, LOSS, FAMILIES };
    Bump s[FAMILIES] = {{0}};
    int blocks = most_blocks(d->tokens, d->chunks), chunk = most_in_chunk(d);
    Routing r;
    embed_carve(&(Embed){0}, &s[EMBED], d->D, d->P, blocks, threads);
    block_carve(&(Block *){0}, &s[LINEAR], blocks);
    norm_bwd_carve(&(NormBwd){0}, &s[NORM], d->D, blocks);
    attention_carve(&(Attention){0}, &s[ATTENTION], d->longest, d->d, 1, threads);
    route_carve(&r, &s[ROUTE], d->D, d->E, d->tokens, d->chunks, threads);
    route_bwd_carve(&r, &s[ROUTE], d->tokens);
    loss_carve(&(Loss){0}, &s[LOSS], d->O, chunk);
    size_t most = ffn_bytes(d, d->F, d->tokens, chunk, 1, threads), routed = ffn_bytes(d, d->Fe, d->K * d->tokens, d->K * chunk, d->E, threads);
    if (routed > most) most = routed;
    for (int i = 0; i < FAMILIES; i++)
        if (s[i].at > most) most = s[i].at;
    return most;
}
