/* place.cuh - where the tiles of a product are. Rows of experts are counted on the device: the host knows only how many tiles there are at most. */
#ifndef KERNELS_CUDA_PLACE_CUH
#define KERNELS_CUDA_PLACE_CUH

#include "kernels/cuda/tile.cuh"

namespace fts_cuda {

constexpr int BM = 128;                  /* rows of a tile */

/* The block's part of the result: rows [row, +rows) and columns [col, +cols), of a group. */
struct Place { int group, row, rows, col, cols; };
struct Span { int from, to; };

/* Rows in groups, each group in tiles of BM. */
struct Grouping {
    const int *start;                    /* (groups, nchunk) on the device; NULL: one group of all */
    int groups, nchunk, rows;
    __device__ int begin(int g) const { return !start ? (g ? rows : 0) : g < groups ? start[g * nchunk] : rows; }
    __device__ bool find(int tile, Place &at) const
    {
        for (int g = 0; g < groups; g++) {
            int from = begin(g), n = begin(g + 1) - from, tiles = (n + BM - 1) / BM;
            if (tile < tiles) {
                at.group = g;
                at.row = from + tile * BM;
                at.rows = n - tile * BM < BM ? n - tile * BM : BM;
                return true;
            }
            tile -= tiles;
        }
        return false;
    }
    unsigned most_tiles() const { return rows ? blocks(size_t(rows), BM) + unsigned(start ? groups : 0) : 0; }
};

/* A tile of rows in groups, columns going round fastest: those of the same rows run at the same time. */
__device__ inline bool find_rows(const Grouping &rows, int columns, int width, int tile, Place &at)
{
    int across = (columns + width - 1) / width;
    if (!rows.find(tile / across, at)) return false;
    at.col = tile % across * width;
    at.cols = columns - at.col < width ? columns - at.col : width;
    return true;
}
inline size_t row_tiles(const Grouping &rows, int columns, int width) { return size_t(rows.most_tiles()) * blocks(size_t(columns), size_t(width)); }

}

#endif
