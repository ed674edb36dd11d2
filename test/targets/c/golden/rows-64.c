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
    if (j_11 + 64 <= n1) {
      vf acc_12 = splat_vf(-__builtin_inff());
      vf acc_13 = splat_vf(-__builtin_inff());
      vf acc_14 = splat_vf(-__builtin_inff());
      for (; j_11 + 64 <= n1; j_11 += 64) {
        const vf t_15 = *(const v_f32_m *)(q8 + j_11 * 4);
        acc_10 = max_vf(acc_10, t_15);
        const vf t_16 = *(const v_f32_m *)(q8 + j_11 * 4 + 16 * 4);
        acc_12 = max_vf(acc_12, t_16);
        const vf t_17 = *(const v_f32_m *)(q8 + j_11 * 4 + 32 * 4);
        acc_13 = max_vf(acc_13, t_17);
        const vf t_18 = *(const v_f32_m *)(q8 + j_11 * 4 + 48 * 4);
        acc_14 = max_vf(acc_14, t_18);
      }
      acc_10 = max_vf(acc_10, acc_12);
      acc_13 = max_vf(acc_13, acc_14);
      acc_10 = max_vf(acc_10, acc_13);
    }
    for (; j_11 + 16 <= n1; j_11 += 16) {
      const vf t_19 = *(const v_f32_m *)(q8 + j_11 * 4);
      acc_10 = max_vf(acc_10, t_19);
    }
    if (j_11 < n1) {
      const i64 live_20 = n1 - j_11;
      const vf t_21 = (vf)load_part_vf(q8 + j_11 * 4, (int)live_20);
      const vi t22 = (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
      const vi t23 = splat_vi((int)live_20);
      const vi m24 = (vi)(t22 < t23);
      const vf alive_25 = (vf)((m24 & (vi)t_21) | (~m24 & (vi)splat_vf(-__builtin_inff())));
      acc_10 = max_vf(acc_10, alive_25);
    }
    const vf t26 = rotate8_vf(acc_10);
    acc_10 = max_vf(acc_10, t26);
    const vf t27 = rotate4_vf(acc_10);
    acc_10 = max_vf(acc_10, t27);
    const vf t28 = rotate2_vf(acc_10);
    acc_10 = max_vf(acc_10, t28);
    const vf t29 = rotate1_vf(acc_10);
    acc_10 = max_vf(acc_10, t29);
    vf acc_30 = nothing_6;
    i64 j_31 = 0;
    if (j_31 + 64 <= n1) {
      vf acc_32 = nothing_6;
      vf acc_33 = nothing_6;
      vf acc_34 = nothing_6;
      for (; j_31 + 64 <= n1; j_31 += 64) {
        const vf t_35 = *(const v_f32_m *)(q8 + j_31 * 4);
        const vf t_36 = (t_35 / acc_10);
        acc_30 = (acc_30 + t_36);
        const vf t_37 = *(const v_f32_m *)(q8 + j_31 * 4 + 16 * 4);
        const vf t_38 = (t_37 / acc_10);
        acc_32 = (acc_32 + t_38);
        const vf t_39 = *(const v_f32_m *)(q8 + j_31 * 4 + 32 * 4);
        const vf t_40 = (t_39 / acc_10);
        acc_33 = (acc_33 + t_40);
        const vf t_41 = *(const v_f32_m *)(q8 + j_31 * 4 + 48 * 4);
        const vf t_42 = (t_41 / acc_10);
        acc_34 = (acc_34 + t_42);
      }
      acc_30 = (acc_30 + acc_32);
      acc_33 = (acc_33 + acc_34);
      acc_30 = (acc_30 + acc_33);
    }
    for (; j_31 + 16 <= n1; j_31 += 16) {
      const vf t_43 = *(const v_f32_m *)(q8 + j_31 * 4);
      const vf t_44 = (t_43 / acc_10);
      acc_30 = (acc_30 + t_44);
    }
    if (j_31 < n1) {
      const i64 live_45 = n1 - j_31;
      const vf t_46 = (vf)load_part_vf(q8 + j_31 * 4, (int)live_45);
      const vf t_47 = (t_46 / acc_10);
      const vi t48 = (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
      const vi t49 = splat_vi((int)live_45);
      const vi m50 = (vi)(t48 < t49);
      const vf alive_51 = (vf)((m50 & (vi)t_47) | (~m50 & (vi)nothing_6));
      acc_30 = (acc_30 + alive_51);
    }
    const vf t52 = rotate8_vf(acc_30);
    acc_30 = (acc_30 + t52);
    const vf t53 = rotate4_vf(acc_30);
    acc_30 = (acc_30 + t53);
    const vf t54 = rotate2_vf(acc_30);
    acc_30 = (acc_30 + t54);
    const vf t55 = rotate1_vf(acc_30);
    acc_30 = (acc_30 + t55);
    i64 j_56 = 0;
    for (; j_56 + 32 <= n1; j_56 += 32) {
      const vf t_57 = *(const v_f32_m *)(q8 + j_56 * 4);
      const vf t_58 = (t_57 / acc_10);
      const vf t_59 = (t_58 / acc_30);
      *(v_f32_m *)(q9 + j_56 * 4) = t_59;
      const vf t_60 = *(const v_f32_m *)(q8 + j_56 * 4 + 16 * 4);
      const vf t_61 = (t_60 / acc_10);
      const vf t_62 = (t_61 / acc_30);
      *(v_f32_m *)(q9 + j_56 * 4 + 16 * 4) = t_62;
    }
    for (; j_56 + 16 <= n1; j_56 += 16) {
      const vf t_63 = *(const v_f32_m *)(q8 + j_56 * 4);
      const vf t_64 = (t_63 / acc_10);
      const vf t_65 = (t_64 / acc_30);
      *(v_f32_m *)(q9 + j_56 * 4) = t_65;
    }
    if (j_56 < n1) {
      const i64 live_66 = n1 - j_56;
      const vf t_67 = (vf)load_part_vf(q8 + j_56 * 4, (int)live_66);
      const vf t_68 = (t_67 / acc_10);
      const vf t_69 = (t_68 / acc_30);
      store_part_vf(q9 + j_56 * 4, (vf)t_69, (int)live_66);
    }
  }
}
