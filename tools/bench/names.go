package main

import (
	"math"
	"math/rand/v2"
)

func zipf(rank int) int { return int(1e6 / math.Pow(float64(rank)+1, 0.7)) }

// Bearers of the 50 commonest surnames of the United States: U.S. Census Bureau, "Frequently Occurring Surnames from the
// 2010 Census", https://www.census.gov/topics/population/genealogy/data/2010_surnames.html.
var englishCommon = counted(`Smith 2442977 Johnson 1932812 Williams 1625252 Brown 1437026 Jones 1425470 Garcia 1166120
Miller 1161437 Davis 1116357 Rodriguez 1094924 Martinez 1060159 Hernandez 1043281 Lopez 874523 Gonzalez 841025
Wilson 801882 Anderson 784404 Thomas 756142 Taylor 751209 Moore 724374 Jackson 708099 Martin 702625 Lee 693023
Perez 681645 Thompson 664644 White 660491 Harris 624252 Sanchez 612752 Clark 562679 Ramirez 557423 Lewis 531781
Robinson 529821 Walker 523129 Young 484447 Allen 482607 King 465422 Wright 458980 Scott 439530 Torres 437813
Nguyen 437645 Hill 434827 Flores 433969 Green 430182 Adams 427865 Nelson 424958 Baker 419586 Hall 407076
Rivera 391114 Campbell 386157 Mitchell 384486 Carter 376966 Roberts 376774`)

// commonShare is the share, in percent, of the people who bear one of these, of the 295 million whom the census counted.
const commonShare = 12

// The others' names are many thousands. They are made of what English surnames are made of, so that there are as many
// that seldom occur as a search has to go by.
var (
	nameBegins = ranked(`Har Ash Wood Black Brad Hol West Mor Stan Whit Pem Cal Wil Hart Lang Brook Ed Fair Kings Lin Mel
		Nor Pres Rad Sher Thorn Un Wal Wey Win Al Bar Bel Ber Birk Bos Bur Car Chat Ches Cole Cran Dal Den Dun East El Farn
		Fen Gar Glen Gran Green Hal Ham Hath Hazel Hen Her Hunt Ken Kirk Law Leigh Long Lud Mar Mil New North Oak Old Ox
		Park Pat Pen Ray Red Rock Ross Ruth Sal Sand Sel Shel Stock Stone Sut Tem Til Tren Up Van Ver Wads Ward War Wel Whee`)
	nameEnds = ranked(`ton son ley ford man field wood well er worth by ham ing land den low ridge dale stead bury more
		combe bourne cott croft hurst lock shaw wick ward win gate stone brook smith ard art ell ers ett ick in is kin
		lin ner ock or ory ow per ser ster ter thorn`)
	nameMiddles = ranked(`- - - - er el in ing an en o a be ber der ling mer ning per ring ster ting ver`)
)

func englishFamily(r *rand.Rand) string {
	if r.IntN(100) < commonShare {
		return englishCommon.pick(r)
	}
	middle := nameMiddles.pick(r)
	if middle == "-" {
		middle = ""
	}
	return nameBegins.pick(r) + middle + nameEnds.pick(r)
}

// Given names in the order in which they were given, boys' and girls' by turns: U.S. Social Security Administration, "Top
// Names Over the Last 100 Years", https://www.ssa.gov/oact/babynames/decades/century.html.
var englishGivenNames = ranked(`James Mary Michael Patricia Robert Jennifer John Linda David Elizabeth William Barbara
	Richard Susan Joseph Jessica Thomas Karen Christopher Sarah Charles Lisa Daniel Nancy Matthew Sandra Anthony Betty Mark
	Ashley Donald Emily Steven Kimberly Andrew Margaret Paul Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Melissa
	Timothy Deborah Ronald Stephanie George Rebecca Jason Sharon Edward Laura Jeffrey Cynthia Ryan Dorothy Jacob Amy
	Nicholas Kathleen Gary Angela Eric Shirley Jonathan Emma Stephen Brenda Larry Pamela Justin Nicole Scott Anna Brandon
	Samantha Benjamin Katherine Samuel Christine Gregory Debra Alexander Rachel Patrick Carolyn Frank Janet Raymond Maria
	Jack Olivia Dennis Heather Jerry Helen Tyler Catherine Aaron Diane Jose Julie Adam Victoria Nathan Joyce Henry Lauren
	Zachary Kelly Douglas Christina Peter Ruth Kyle Joan Noah Virginia Ethan Judith Jeremy Evelyn Christian Hannah Walter
	Andrea Keith Megan Austin Cheryl Roger Jacqueline Terry Madison Sean Teresa Gerald Abigail Carl Sophia Dylan Martha
	Harold Sara Jordan Gloria Jesse Janice Bryan Kathryn Lawrence Ann Arthur Isabella Gabriel Judy Bruce Charlotte Logan
	Julia Billy Grace Joe Amber Alan Alice Juan Jean Elijah Denise Willie Frances Albert Danielle Wayne Marilyn Randy
	Natalie Mason Beverly Vincent Diana Liam Brittany Roy Theresa Bobby Kayla Caleb Alexis Bradley Doris Russell Lori`)

// The 100 commonest surnames of China, the first ten with their share of the people in hundredths of a percent, the others
// in the order of their rank: Ministry of Public Security, census of 2007 (shares) and "2020年全国姓名报告" (order).
var chineseFamily = func() weighted {
	w := counted(`王 725 李 719 张 683 刘 538 陈 453 杨 308 黄 223 赵 214 吴 205 周 202`)
	for n, word := range ranked(`徐 孙 马 朱 胡 林 郭 何 高 罗 郑 梁 谢 宋 唐 许 邓 冯 韩 曹 曾 彭 萧 蔡 潘 田 董 袁 于 余 叶 蒋 杜
		苏 魏 程 吕 丁 沈 任 姚 卢 傅 钟 姜 崔 谭 廖 范 汪 陆 金 石 戴 贾 韦 夏 邱 方 侯 邹 熊 孟 秦 白 江 阎 薛 尹 段 雷 黎 史 龙
		陶 贺 顾 毛 郝 龚 邵 万 钱 严 赖 覃 洪 武 莫 孔`).words {
		w.add(word, int(166/math.Pow(float64(n)+1, 0.38))) // 徐, the eleventh, has 1.66 percent; the hundred have 85
	}
	return w
}()

// Characters of given names in the order of how many people have them: Ministry of Public Security, "2019年全国姓名报告".
var chineseCharacters = ranked(`英 华 文 玉 秀 明 兰 金 国 春 红 丽 志 桂 军 平 芳 建 海 荣 梅 永 云 珍 小 晓 林 伟 德 清 香 霞 生 美
	燕 强 凤 成 新 东 杰 艳 涛 勇 娟 辉 宇 敏 静 超 祥 龙 梓 子 浩 欣 怡 轩 涵 雨 佳 俊 泽 诗 嘉 思 宸 一 可 鑫 博 瑞 雅 晨 婷 雪 洋
	鹏 飞 磊 刚 波 斌 峰 宁 琳 莹 倩 颖 洁 慧 媛 悦 彤 妍 萱 瑶 晴 阳 天 恩 安 家 乐 心 依 若 语 梦 月 星 辰 昊 睿 诚 信 义 礼 智 仁`)

// chineseGiven is of one character for every seventh, of two for the others.
func chineseGiven(r *rand.Rand) string {
	if r.IntN(7) == 0 {
		return chineseCharacters.pick(r)
	}
	return chineseCharacters.pick(r) + chineseCharacters.pick(r)
}
