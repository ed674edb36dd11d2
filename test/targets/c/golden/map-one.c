void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  (void)scratch;
  const i64 n0 = args[0];
  const i64 n1 = args[1];
  const i64 s2 = args[3];
  const i64 s3 = args[6];
  const i64 s4 = args[9];
  char *const p5 = (char *)args[2];
  char *const p6 = (char *)args[5];
  char *const p7 = (char *)args[8];
  i64 j_8 = begin;
  char *q9 = p5 + j_8 * s2;
  char *q10 = p6 + j_8 * s3;
  char *q11 = p7 + j_8 * s4;
  for (; j_8 < end; j_8 += 1, q9 += s2, q10 += s3, q11 += s4) {
    if ((n1 == 4)) {
      const vf t_12 = *(const v_f32_m *)(q9);
      const vf t_13 = *(const v_f32_m *)(q10);
      const vf t_14 = (t_12 * t_13);
      *(v_f32_m *)(q11) = t_14;
    }
    else {
      if ((0 < n1)) {
        const vf t_15 = (vf)load_part_vf(q9, (int)n1);
        const vf t_16 = (vf)load_part_vf(q10, (int)n1);
        const vf t_17 = (t_15 * t_16);
        store_part_vf(q11, (vf)t_17, (int)n1);
      }
    }
  }
}
