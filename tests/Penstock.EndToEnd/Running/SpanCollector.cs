using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Penstock.EndToEnd.Running;

/// <param name="Trace">Hexadecimal, as <paramref name="Id"/> and <paramref name="Parent"/>; empty where there is no parent.</param>
/// <param name="Tags">Those that are texts.</param>
internal sealed record Span(string Trace, string Id, string Parent, string Name, IReadOnlyDictionary<string, string> Tags);

/// <summary>A collector of OTLP over HTTP. It refuses what is no <c>ExportTraceServiceRequest</c>.</summary>
internal sealed class SpanCollector(WebApplication app, ConcurrentQueue<Span> spans) : IAsyncDisposable
{
    public Uri Address { get; } = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    public IReadOnlyList<Span> Spans => [.. spans];

    public static async Task<SpanCollector> StartAsync(CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var spans = new ConcurrentQueue<Span>();
        app.MapPost("/v1/traces", async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, http.RequestAborted);
            foreach (var span in Read(body.ToArray())) spans.Enqueue(span);
            http.Response.ContentType = "application/x-protobuf";
        });
        await app.StartAsync(ct);
        return new SpanCollector(app, spans);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    /// <summary>Fields by their numbers in opentelemetry/proto/trace/v1/trace.proto: resource_spans 1, scope_spans 2, spans 2.</summary>
    private static IEnumerable<Span> Read(byte[] request) =>
        from resource in Fields(request, 1)
        from scope in Fields(resource, 2)
        from span in Fields(scope, 2)
        select new Span(Hex(span, 1), Hex(span, 2), Hex(span, 4), Text(span, 5), Tags(span));

    private static Dictionary<string, string> Tags(byte[] span) =>
        Fields(span, 9).ToDictionary(tag => Text(tag, 1), tag => Fields(tag, 2).Select(value => Text(value, 1)).FirstOrDefault() ?? "");

    private static string Hex(byte[] message, int field) => Convert.ToHexStringLower(Fields(message, field).FirstOrDefault() ?? []);

    private static string Text(byte[] message, int field) => Encoding.UTF8.GetString(Fields(message, field).FirstOrDefault() ?? []);

    /// <summary>Those of a message that have a length.</summary>
    private static List<byte[]> Fields(byte[] message, int wanted)
    {
        var found = new List<byte[]>();
        for (var at = 0; at < message.Length;)
        {
            var tag = Varint(message, ref at);
            var length = (tag & 7) switch
            {
                0 => Skip(message, at),
                1 => 8,
                2 => (int)Varint(message, ref at),
                5 => 4,
                var type => throw new BadHttpRequestException($"No wire type {type}."),
            };
            if ((tag & 7) == 2 && (int)(tag >> 3) == wanted) found.Add(message[at..(at + length)]);
            at += length;
        }

        return found;
    }

    private static int Skip(byte[] message, int at)
    {
        var start = at;
        Varint(message, ref at);
        return at - start;
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = message[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
    }
}
