using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Gateway;
using Penstock.Gateway.Wire.OpenAi;
using Penstock.Tests.Keys;
using Penstock.Usage;
using Xunit;

namespace Penstock.Tests.Gateway;

public sealed class BackPressureTests : IAsyncLifetime
{
    private const int FrameBytes = 10_000;
    private const int FrameCount = 1_000;

    private long _produced;
    private GatewayHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await GatewayHost.StartAsync();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_vendor_that_never_makes_us_wait_does_not_make_us_hold_its_answer()
    {
        _host.Script.Chat = (_, _) => FastAsync();
        var http = Callers.Request(Callers.Text("root"));
        http.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(GatewayHost.Chat(stream: true)));
        var output = new CountingStream(() => _produced);
        http.Response.Body = output;

        await _host.Services.GetRequiredService<ChatPipeline>().RunAsync(http, new OpenAiDialect());

        Assert.True(output.Length >= FrameBytes * FrameCount);
        Assert.InRange(output.MostHeld, 1, 200_000);
    }

    private async IAsyncEnumerable<ProviderFrame> FastAsync()
    {
        await Task.CompletedTask;
        for (var i = 0; i < FrameCount; i++)
        {
            _produced += FrameBytes;
            yield return Frames.Text(new string('x', FrameBytes));
        }

        yield return Frames.End(TokenCounts.Of(1, 1));
    }

    /// <summary>Counts what passes, and how far it lags behind what was produced.</summary>
    private sealed class CountingStream(Func<long> produced) : MemoryStream
    {
        private long _written;

        public long MostHeld { get; private set; }

        public override long Length => _written;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            MostHeld = Math.Max(MostHeld, produced() - _written);
            _written += buffer.Length;
            return ValueTask.CompletedTask;
        }
    }
}
