using Penstock.Http;
using Penstock.Idempotency;
using Penstock.Kernel;
using Penstock.Tests.Keys;
using Xunit;

namespace Penstock.Tests.Idempotency;

public sealed class SealedAnswerTests
{
    private static readonly IdempotencyName Name = new(TenantId.Default, new KeyId("a"), "order 1");
    private static readonly string Key = Callers.Text("a").Text;
    private static readonly byte[] Hash = new byte[32];

    private readonly byte[] _sealed = SealedAnswer.Seal(Key, Name, Hash, new RecordedHead(201, [new("Location", "/a"), new("Set", new[] { "1", "2" })]), "hello"u8);

    [Fact]
    public void What_was_sealed_opens()
    {
        var (head, body) = SealedAnswer.Open(Key, Name, Hash, _sealed)!.Value;

        Assert.Equal(201, head.Status);
        Assert.Equal(["Location=/a", "Set=1,2"], head.Headers.Select(header => $"{header.Key}={header.Value}"));
        Assert.Equal("hello"u8, body.Span);
    }

    [Fact]
    public void Nothing_else_opens_it()
    {
        var other = (byte[])Hash.Clone();
        other[0] = 1;
        Assert.Null(SealedAnswer.Open(Callers.Text("a", Callers.Secret + "0").Text, Name, Hash, _sealed));
        Assert.Null(SealedAnswer.Open(Key, Name with { Tenant = new TenantId("rival") }, Hash, _sealed));
        Assert.Null(SealedAnswer.Open(Key, Name with { Value = "order 2" }, Hash, _sealed));
        Assert.Null(SealedAnswer.Open(Key, Name, other, _sealed));
        for (var i = 0; i < _sealed.Length; i++)
        {
            var changed = (byte[])_sealed.Clone();
            changed[i] ^= 1;
            Assert.Null(SealedAnswer.Open(Key, Name, Hash, changed));
        }
    }

    [Fact]
    public void No_two_seals_are_alike() => Assert.NotEqual(_sealed, SealedAnswer.Seal(Key, Name, Hash, new RecordedHead(201, []), "hello"u8));
}
