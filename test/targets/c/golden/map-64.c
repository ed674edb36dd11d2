void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  (void)scratch;
  const i64 n0 = args[0];
  char *const p1 = (char *)args[1];
  char *const p2 = (char *)args[3];
  char *const p3 = (char *)args[5];
  i64 j_4 = begin;
  for (; j_4 + 32 <= end; j_4 += 32) {
    const vf t_5 = *(const v_f32_m *)(p1 + j_4 * 4);
    const vf t_6 = *(const v_f32_m *)(p2 + j_4 * 4);
    const vf t_7 = (t_5 * t_6);
    *(v_f32_m *)(p3 + j_4 * 4) = t_7;
    const vf t_8 = *(const v_f32_m *)(p1 + j_4 * 4 + 16 * 4);
    const vf t_9 = *(const v_f32_m *)(p2 + j_4 * 4 + 16 * 4);
    const vf t_10 = (t_8 * t_9);
    *(v_f32_m *)(p3 + j_4 * 4 + 16 * 4) = t_10;
  }
  for (; j_4 + 16 <= end; j_4 += 16) {
    const vf t_11 = *(const v_f32_m *)(p1 + j_4 * 4);
    const vf t_12 = *(const v_f32_m *)(p2 + j_4 * 4);
    const vf t_13 = (t_11 * t_12);
    *(v_f32_m *)(p3 + j_4 * 4) = t_13;
  }
  if (j_4 < end) {
    const i64 live_14 = end - j_4;
    const vf t_15 = (vf)load_part_vf(p1 + j_4 * 4, (int)live_14);
    const vf t_16 = (vf)load_part_vf(p2 + j_4 * 4, (int)live_14);
    const vf t_17 = (t_15 * t_16);
    store_part_vf(p3 + j_4 * 4, (vf)t_17, (int)live_14);
  }
}
