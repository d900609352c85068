using System.Security.Cryptography;
using System.Text;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Keys;
using Xunit;

namespace Penstock.Tests.Keys;

public sealed class KeyTextTests
{
    private const string Secret32 = "0123456789abcdef0123456789abcdef";

    [Fact]
    public void A_made_key_reads_back_and_no_two_are_the_same()
    {
        var ids = new IdSource();
        var made = Enumerable.Range(0, 1000).Select(_ => KeyText.Create(ids)).ToArray();

        foreach (var key in made)
        {
            Assert.True(KeyText.TryParse(key.Text, out var read));
            Assert.Equal(key, read);
            Assert.Matches("^sk-pen-[0-9a-f]{16}-[0-9a-f]{64}$", key.Text);
        }

        Assert.Equal(1000, made.Select(key => key.Id).Distinct().Count());
        Assert.Equal(1000, made.Select(key => key.Text).Distinct().Count());
    }

    [Theory]
    [InlineData("sk-pen-a-" + Secret32, "a")]
    [InlineData("sk-pen-a_b-" + Secret32 + "-with-dashes", "a_b")]
    [InlineData("sk-pen-OPERATOR-" + Secret32, "OPERATOR")]
    public void The_id_ends_at_the_first_dash(string text, string id)
    {
        Assert.True(KeyText.TryParse(text, out var key));
        Assert.Equal(id, key.Id.Value);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("sk-pen-")]
    [InlineData("sk-pen--" + Secret32)]
    [InlineData("sk-pen-a-")]
    [InlineData("sk-pen-a-0123456789abcdef0123456789abcde")]
    [InlineData("sk-pen-a" + Secret32)]
    [InlineData("SK-PEN-a-" + Secret32)]
    [InlineData(" sk-pen-a-" + Secret32)]
    [InlineData("sk-pen-a-" + Secret32 + "\n")]
    [InlineData("sk-pen-a-" + Secret32 + "\0")]
    [InlineData("sk-pen-a-" + Secret32 + ",sk-pen-b-" + Secret32)]
    [InlineData("sk-pen-a'b-" + Secret32)]
    [InlineData("sk-pen-../a-" + Secret32)]
    [InlineData("sk-pen-\u0661-" + Secret32)]
    [InlineData("sk-pen-\u00e9-" + Secret32)]
    [InlineData("sk-pen-a-" + Secret32 + "\ud83d")]
    [InlineData("sk-proj-a-" + Secret32)]
    public void What_is_no_key_is_not_read(string? text) => Assert.False(KeyText.TryParse(text, out _));

    [Fact]
    public void The_longest_text_is_256_characters()
    {
        var longest = "sk-pen-a-" + new string('b', 256 - 9);

        Assert.True(KeyText.TryParse(longest, out _));
        Assert.False(KeyText.TryParse(longest + "b", out _));
        Assert.False(KeyText.TryParse(new string('-', 10_000_000), out _));
    }

    [Fact]
    public void The_hash_covers_the_whole_text()
    {
        var key = Callers.Text("a");

        Assert.Equal(SHA256.HashData(Encoding.UTF8.GetBytes("sk-pen-a-" + Secret32)), key.Hash());
        Assert.NotEqual(key.Hash(), Callers.Text("b").Hash());
    }

    [Fact]
    public void A_text_changed_anywhere_is_another_key_or_none()
    {
        var seeded = new SeededSource(7);
        var key = Callers.Text("operator");
        for (var round = 0; round < 5_000; round++)
        {
            var letters = key.Text.ToCharArray();
            var at = seeded.Below(letters.Length);
            var letter = (char)seeded.Below(0x180);
            if (letters[at] == letter) continue;
            letters[at] = letter;

            if (KeyText.TryParse(new string(letters), out var other)) Assert.NotEqual(key.Hash(), other.Hash());
        }
    }

    [Fact]
    public void The_secret_stays_out_of_what_a_log_would_show()
    {
        var key = Callers.Text("a");

        Assert.DoesNotContain(Secret32, $"{key}", StringComparison.Ordinal);
        Assert.Contains("sk-pen-a-", $"{key}", StringComparison.Ordinal);
    }
}
