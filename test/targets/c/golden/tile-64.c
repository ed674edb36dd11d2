static void tile_2_2(const char *a, const char *b, i64 depth, char *sums, int keep) {
  vf c0_0 = {0};
  vf c0_1 = {0};
  vf c1_0 = {0};
  vf c1_1 = {0};
  if (keep) {
    c0_0 = *(v_f32_m *)(sums + 0);
    c0_1 = *(v_f32_m *)(sums + 64);
    c1_0 = *(v_f32_m *)(sums + 816);
    c1_1 = *(v_f32_m *)(sums + 880);
  }
  for (i64 p = 0; p < depth; p++, a += 4, b += 192) {
    const vf b0 = *(const v_f32_m *)(b + 0);
    const vf b1 = *(const v_f32_m *)(b + 64);
    const vf a0 = splat_vf(*(const f32_m *)(a + 0));
    c0_0 = fma_vf(a0, b0, c0_0);
    c0_1 = fma_vf(a0, b1, c0_1);
    const vf a1 = splat_vf(*(const f32_m *)(a + 1600));
    c1_0 = fma_vf(a1, b0, c1_0);
    c1_1 = fma_vf(a1, b1, c1_1);
  }
  *(v_f32_m *)(sums + 0) = c0_0;
  *(v_f32_m *)(sums + 64) = c0_1;
  *(v_f32_m *)(sums + 816) = c1_0;
  *(v_f32_m *)(sums + 880) = c1_1;
}
