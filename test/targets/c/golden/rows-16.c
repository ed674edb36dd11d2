void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  (void)scratch;
  const i64 n0 = args[0];
  const i64 n1 = args[1];
  const i64 s2 = args[3];
  const i64 s3 = args[6];
  char *const p4 = (char *)args[2];
  char *const p5 = (char *)args[5];
  const vf nothing_6 = splat_vf(((n1 == 0) ? 0.0f : -0.0f));
  i64 j_7 = begin;
  char *q8 = p4 + j_7 * s2;
  char *q9 = p5 + j_7 * s3;
  for (; j_7 < end; j_7 += 1, q8 += s2, q9 += s3) {
    vf acc_10 = splat_vf(-__builtin_inff());
    i64 j_11 = 0;
    if (j_11 + 16 <= n1) {
      vf acc_12 = splat_vf(-__builtin_inff());
      vf acc_13 = splat_vf(-__builtin_inff());
      vf acc_14 = splat_vf(-__builtin_inff());
      for (; j_11 + 16 <= n1; j_11 += 16) {
        const vf t_15 = *(const v_f32_m *)(q8 + j_11 * 4);
        acc_10 = max_vf(acc_10, t_15);
        const vf t_16 = *(const v_f32_m *)(q8 + j_11 * 4 + 4 * 4);
        acc_12 = max_vf(acc_12, t_16);
        const vf t_17 = *(const v_f32_m *)(q8 + j_11 * 4 + 8 * 4);
        acc_13 = max_vf(acc_13, t_17);
        const vf t_18 = *(const v_f32_m *)(q8 + j_11 * 4 + 12 * 4);
        acc_14 = max_vf(acc_14, t_18);
      }
      acc_10 = max_vf(acc_10, acc_12);
      acc_13 = max_vf(acc_13, acc_14);
      acc_10 = max_vf(acc_10, acc_13);
    }
    for (; j_11 + 4 <= n1; j_11 += 4) {
      const vf t_19 = *(const v_f32_m *)(q8 + j_11 * 4);
      acc_10 = max_vf(acc_10, t_19);
    }
    if (j_11 < n1) {
      const i64 live_20 = n1 - j_11;
      const vf t_21 = (vf)load_part_vf(q8 + j_11 * 4, (int)live_20);
      const vi t22 = (vi){0, 1, 2, 3};
      const vi t23 = splat_vi((int)live_20);
      const vi m24 = (vi)(t22 < t23);
      const vf alive_25 = (vf)((m24 & (vi)t_21) | (~m24 & (vi)splat_vf(-__builtin_inff())));
      acc_10 = max_vf(acc_10, alive_25);
    }
    const vf t26 = rotate2_vf(acc_10);
    acc_10 = max_vf(acc_10, t26);
    const vf t27 = rotate1_vf(acc_10);
    acc_10 = max_vf(acc_10, t27);
    vf acc_28 = nothing_6;
    i64 j_29 = 0;
    if (j_29 + 16 <= n1) {
      vf acc_30 = nothing_6;
      vf acc_31 = nothing_6;
      vf acc_32 = nothing_6;
      for (; j_29 + 16 <= n1; j_29 += 16) {
        const vf t_33 = *(const v_f32_m *)(q8 + j_29 * 4);
        const vf t_34 = (t_33 / acc_10);
        acc_28 = (acc_28 + t_34);
        const vf t_35 = *(const v_f32_m *)(q8 + j_29 * 4 + 4 * 4);
        const vf t_36 = (t_35 / acc_10);
        acc_30 = (acc_30 + t_36);
        const vf t_37 = *(const v_f32_m *)(q8 + j_29 * 4 + 8 * 4);
        const vf t_38 = (t_37 / acc_10);
        acc_31 = (acc_31 + t_38);
        const vf t_39 = *(const v_f32_m *)(q8 + j_29 * 4 + 12 * 4);
        const vf t_40 = (t_39 / acc_10);
        acc_32 = (acc_32 + t_40);
      }
      acc_28 = (acc_28 + acc_30);
      acc_31 = (acc_31 + acc_32);
      acc_28 = (acc_28 + acc_31);
    }
    for (; j_29 + 4 <= n1; j_29 += 4) {
      const vf t_41 = *(const v_f32_m *)(q8 + j_29 * 4);
      const vf t_42 = (t_41 / acc_10);
      acc_28 = (acc_28 + t_42);
    }
    if (j_29 < n1) {
      const i64 live_43 = n1 - j_29;
      const vf t_44 = (vf)load_part_vf(q8 + j_29 * 4, (int)live_43);
      const vf t_45 = (t_44 / acc_10);
      const vi t46 = (vi){0, 1, 2, 3};
      const vi t47 = splat_vi((int)live_43);
      const vi m48 = (vi)(t46 < t47);
      const vf alive_49 = (vf)((m48 & (vi)t_45) | (~m48 & (vi)nothing_6));
      acc_28 = (acc_28 + alive_49);
    }
    const vf t50 = rotate2_vf(acc_28);
    acc_28 = (acc_28 + t50);
    const vf t51 = rotate1_vf(acc_28);
    acc_28 = (acc_28 + t51);
    i64 j_52 = 0;
    for (; j_52 + 8 <= n1; j_52 += 8) {
      const vf t_53 = *(const v_f32_m *)(q8 + j_52 * 4);
      const vf t_54 = (t_53 / acc_10);
      const vf t_55 = (t_54 / acc_28);
      *(v_f32_m *)(q9 + j_52 * 4) = t_55;
      const vf t_56 = *(const v_f32_m *)(q8 + j_52 * 4 + 4 * 4);
      const vf t_57 = (t_56 / acc_10);
      const vf t_58 = (t_57 / acc_28);
      *(v_f32_m *)(q9 + j_52 * 4 + 4 * 4) = t_58;
    }
    for (; j_52 + 4 <= n1; j_52 += 4) {
      const vf t_59 = *(const v_f32_m *)(q8 + j_52 * 4);
      const vf t_60 = (t_59 / acc_10);
      const vf t_61 = (t_60 / acc_28);
      *(v_f32_m *)(q9 + j_52 * 4) = t_61;
    }
    if (j_52 < n1) {
      const i64 live_62 = n1 - j_52;
      const vf t_63 = (vf)load_part_vf(q8 + j_52 * 4, (int)live_62);
      const vf t_64 = (t_63 / acc_10);
      const vf t_65 = (t_64 / acc_28);
      store_part_vf(q9 + j_52 * 4, (vf)t_65, (int)live_62);
    }
  }
}
