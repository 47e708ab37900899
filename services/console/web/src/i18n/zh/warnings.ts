/**
 * What to mind about a model, by the code of the warning, in Chinese. Of all others, and in English, the service's own sentence is shown.
 * `{name}` is the value of that name.
 */
export const warnings: Record<string, string> = {
  search_unfinished: '参数搜索未收敛到最优点，所用的是搜索中遇到的最好估计。',
  parameter_at_edge: '有一个参数趋于 0 或无穷，数据无法确定它。预测仍可能正确，但没有标准误。',
  errors_undefined: '似然函数过于平坦，无法给出标准误。',
  mean_unbounded: 'q 不大于 1：单次购买的平均金额没有上限，未再次购买的客户没有预测值。',
  spend_follows_frequency: '购买频率与购买金额相关（相关系数 {correlation}），而模型假定二者独立，请谨慎对待预测。',
  outcomes_separable: '各字段能毫无差错地区分结果：系数大到惩罚项允许的极限，其中某个字段可能泄露了目标。',
  categories_folded: '列“{column}”中最少见的 {categories} 个类别已合并为一类。',
  column_incomplete: '列“{column}”有 {rows} 行缺失。',
  column_constant: '列“{column}”在所有行中都相同，没有信息。',
  column_duplicate: '列“{column}”与另一列相同，没有新的信息。',
  rounds_exhausted: '经过 {rounds} 轮后，仍有行在改变所属的类。',
  rows_left_out: '{rows} 行中有 {left_out} 行缺少数值，未计入。',
  structure_weak: '轮廓系数低于 0.25：这些字段中没有明显的结构。',
  search_out_of_time: '在看完全部之前时间已用尽，可能还有其他规则。请提高 min_support 或 max_seconds，或降低 max_length。',
  itemsets_too_many: '频繁项集超过 {most} 个，可能还有其他规则。请提高 min_support 或降低 max_length。',
  baskets_cut: '有 {baskets} 个购物篮只计入了前 {items} 件商品。',
  rules_cut: '{rules} 条规则中保留了最好的 {kept} 条。',
  baskets_few: '此处 {baskets} 个购物篮即可形成规则，采信前请先看区间。',
}
