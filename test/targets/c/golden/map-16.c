void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  (void)scratch;
  const i64 n0 = args[0];
  char *const p1 = (char *)args[1];
  char *const p2 = (char *)args[3];
  char *const p3 = (char *)args[5];
  i64 j4 = begin;
  for (; j4 + 8 <= end; j4 += 8) {
    const vf t5 = *(const v_f32_m *)(p1 + j4 * 4);
    const vf t6 = *(const v_f32_m *)(p2 + j4 * 4);
    const vf t7 = (t5 * t6);
    *(v_f32_m *)(p3 + j4 * 4) = t7;
    const vf t8 = *(const v_f32_m *)(p1 + (j4 + 4) * 4);
    const vf t9 = *(const v_f32_m *)(p2 + (j4 + 4) * 4);
    const vf t10 = (t8 * t9);
    *(v_f32_m *)(p3 + (j4 + 4) * 4) = t10;
  }
  for (; j4 + 4 <= end; j4 += 4) {
    const vf t11 = *(const v_f32_m *)(p1 + j4 * 4);
    const vf t12 = *(const v_f32_m *)(p2 + j4 * 4);
    const vf t13 = (t11 * t12);
    *(v_f32_m *)(p3 + j4 * 4) = t13;
  }
  if (j4 < end) {
    const i64 live14 = end - j4;
    const vf t15 = (vf)load_part_vf(p1 + j4 * 4, (int)live14);
    const vf t16 = (vf)load_part_vf(p2 + j4 * 4, (int)live14);
    const vf t17 = (t15 * t16);
    store_part_vf(p3 + j4 * 4, (vf)t17, (int)live14);
  }
}
