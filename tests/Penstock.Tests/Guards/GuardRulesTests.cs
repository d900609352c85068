using Penstock.Guards;
using Xunit;

namespace Penstock.Tests.Guards;

public sealed class GuardRulesTests
{
    [Theory]
    [InlineData("4111111111111111", "[CARD]")]
    [InlineData("pay with 4111 1111 1111 1111, please", "pay with [CARD], please")]
    [InlineData("4111-1111-1111-1111", "[CARD]")]
    [InlineData("Amex 3782 822463 10005.", "Amex [CARD].")]
    [InlineData("5555555555554444 and 2223003122003222", "[CARD] and [CARD]")]
    [InlineData("6011111111111117", "[CARD]")]
    [InlineData("3530111333300000", "[CARD]")]
    [InlineData("30569309025904", "[CARD]")]
    [InlineData("Visa of 13: 4222222222222", "Visa of 13: [CARD]")]
    [InlineData("6304000000000000", "[CARD]")]
    [InlineData("4111 1111 1111 1111 123", "[CARD] 123")]
    [InlineData("卡号4111111111111111已用", "卡号[CARD]已用")]
    [InlineData("7,4111111111111111,x", "7,[CARD],x")]
    [InlineData("378282246310005,378282246310005", "[CARD],[CARD]")]
    [InlineData("378282246310005.378282246310005", "[CARD].[CARD]")]
    public void A_card_is_found(string text, string shown) => Assert.Equal(shown, Guarded.Whole(text));

    [Theory]
    [InlineData("4111111111111112")]                     // its check digit is wrong
    [InlineData("1234567812345670")]                     // no issuer begins so
    [InlineData("411111111111111")]                      // a length no issuer gives
    [InlineData("41111111111111111111111")]
    [InlineData("id4111111111111111")]
    [InlineData("0.4111111111111111")]
    [InlineData("45 23 12 67 89 34 21 56")]
    [InlineData("550e8400-e29b-41d4-a716-446655440000")]
    [InlineData("1732540000123")]
    [InlineData("4111\n1111\n1111\n1111")]
    public void What_is_no_card_stays(string text) => Assert.Equal(text, Guarded.Whole(text));

    [Theory]
    [InlineData("john.doe+tag@mail.example.co.uk", "[EMAIL]")]
    [InlineData("Mail bob@example.com.", "Mail [EMAIL].")]
    [InlineData("<bob@example.com>", "<[EMAIL]>")]
    [InlineData("müller@straße.de", "[EMAIL]")]
    [InlineData("o'brien@example.com", "[EMAIL]")]
    [InlineData("邮箱bob@例子.中国。", "邮箱[EMAIL]。")]
    [InlineData("a@example.com.1", "[EMAIL].1")]
    [InlineData("x@xn--bcher-kva.example", "[EMAIL]")]
    [InlineData("aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg@example.com", "aaaaaa[EMAIL]")]
    public void An_address_is_found(string text, string shown) => Assert.Equal(shown, Guarded.Whole(text));

    [Theory]
    [InlineData("@types/node and @johndoe")]
    [InlineData("user@localhost")]
    [InlineData("a@b.1")]
    [InlineData("--@example.com")]
    [InlineData("2 @ 3.50 each")]
    [InlineData("bob&#64;example.com")]                  // entities are not undone
    public void What_is_no_address_stays(string text) => Assert.Equal(text, Guarded.Whole(text));

    [Theory]
    [InlineData("+14155552671", "[PHONE]")]
    [InlineData("+1 (415) 555-2671", "[PHONE]")]
    [InlineData("+44 20 7946 0958 now", "[PHONE] now")]
    [InlineData("+49 (0)30 123456", "[PHONE]")]
    [InlineData("0044 20 7946 0958", "[PHONE]")]
    [InlineData("call (415) 555-2671.", "call [PHONE].")]
    [InlineData("415-555-2671", "[PHONE]")]
    [InlineData("415.555.2671", "[PHONE]")]
    [InlineData("1-415-555-2671", "[PHONE]")]
    [InlineData("020 7946 0958", "[PHONE]")]
    [InlineData("07700 900123", "[PHONE]")]
    [InlineData("(030) 123456", "[PHONE]")]
    [InlineData("(030) 1234567", "[PHONE]")]
    [InlineData("030/1234567", "[PHONE]")]
    [InlineData("01 23 45 67 89", "[PHONE]")]
    [InlineData("01.23.45.67.89", "[PHONE]")]
    public void A_telephone_number_is_found(string text, string shown) => Assert.Equal(shown, Guarded.Whole(text));

    [Theory]
    [InlineData("4155552671")]
    [InlineData("1732540000")]
    [InlineData("2024-11-25T13:27:10Z")]
    [InlineData("25.11.2024 12:30")]
    [InlineData("05-11-2024")]
    [InlineData("192.168.100.200 and 010.020.030.040")]
    [InlineData("115-555-2671")]                         // no area begins with 1
    [InlineData("911-555-2671")]
    [InlineData("415-155-2671")]                         // no exchange begins with 1
    [InlineData("415-555-2671-99")]
    [InlineData("ORD-415-555-2671")]
    [InlineData("5+12345678")]
    [InlineData("1,415,555,2671")]
    [InlineData("3.14159265358979")]
    [InlineData("+1234567")]
    [InlineData("0800-12")]
    public void What_is_no_telephone_number_stays(string text) => Assert.Equal(text, Guarded.Whole(text));

    [Theory]
    [InlineData("078-05-1120", "[SSN]")]
    [InlineData("SSN: 219 09 9999.", "SSN: [SSN].")]
    public void A_social_security_number_is_found(string text, string shown) => Assert.Equal(shown, Guarded.Whole(text));

    [Theory]
    [InlineData("000-12-3456")]
    [InlineData("666-12-3456")]
    [InlineData("900-12-3456")]
    [InlineData("123-00-4567")]
    [InlineData("123-45-0000")]
    [InlineData("123-45 6789")]
    [InlineData("123-45-67890")]
    [InlineData("1123-45-6789")]
    [InlineData("123-45-6789-1")]
    [InlineData("X-123-45-6789")]
    public void What_is_no_social_security_number_stays(string text) => Assert.Equal(text, Guarded.Whole(text));

    [Theory]
    [InlineData("About project  FALCON.", "About [REDACTED].")]
    [InlineData("Project\nFalcon", "[REDACTED]")]
    [InlineData("Projects Falcon, project falcons", "Projects Falcon, project falcons")]
    [InlineData("CAFE\u0301 AU LAIT", "[REDACTED]")]
    [InlineData("Ｐｒｏｊｅｃｔ　Ｆａｌｃｏｎ", "[REDACTED]")]
    [InlineData("这是机密文件", "这是[REDACTED]文件")]
    [InlineData("a bad badge", "a [REDACTED] badge")]
    [InlineData("un\u00adbad b\u200bad", "un\u00adbad [REDACTED]")]
    public void A_denied_phrase_is_found_as_whole_words(string text, string shown) => Assert.Equal(shown, Guarded.Whole(text));

    [Theory]
    [InlineData("4111\u200b1111\u20601111\ufeff1111", "[CARD]")]
    [InlineData("４１１１１１１１１１１１１１１１", "[CARD]")]
    [InlineData("٤١١١١١١١١١١١١١١١", "[CARD]")]
    [InlineData("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "[CARD]")]
    [InlineData("4111\u00a01111\u00a01111\u00a01111", "[CARD]")]
    [InlineData("4111–1111–1111–1111", "[CARD]")]
    [InlineData("bob\u200d＠example．com", "[EMAIL]")]
    [InlineData("078‑05‑1120", "[SSN]")]
    [InlineData("🦀bob@example.com🦀", "🦀[EMAIL]🦀")]
    [InlineData("bob@example.com\u200b next", "[EMAIL] next")]
    public void Disguises_are_seen_through(string text, string shown) => Assert.Equal(shown, Guarded.Whole(text));

    [Fact]
    public void Only_the_rules_that_are_set_count() => Assert.Equal("bob@example.com [CARD]", Guarded.Whole("bob@example.com 4111111111111111", """{"card": "mask", "email": "off"}"""));

    [Fact]
    public void A_flag_counts_and_leaves_the_text()
    {
        var found = new List<string>();
        var scan = new GuardScan(Guarded.Rules("""{"email": "flag", "card": "mask"}"""), new GuardTally(rule => found.Add(rule.Name)));

        Assert.Equal("a@b.org [CARD]", scan.Whole("a@b.org 4111111111111111"));
        Assert.Equal(["email", "card"], found);
    }

    [Fact]
    public void A_block_ends_the_text_before_the_match()
    {
        var tally = new GuardTally(_ => { });
        var scan = new GuardScan(Guarded.Rules("""{"email": "block"}"""), tally);

        Assert.Equal("write to ", scan.Whole("write to a@b.org now"));
        Assert.Equal("email", tally.BlockedBy);
        Assert.Equal("", scan.Piece("and more"));
    }
}
