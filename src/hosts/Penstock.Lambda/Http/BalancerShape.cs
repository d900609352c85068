using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using static Penstock.Lambda.Http.EventParts;

namespace Penstock.Lambda.Http;

/// <summary>
/// Application Load Balancers (<see href="https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html"/>). Values of the query are
/// as the client wrote them. It wants its headers back in the form it sent them in, which its target group decides.
/// </summary>
internal sealed class BalancerShape(bool several) : IHttpShape
{
    public bool MayStream => false;

    public static BalancerShape Of(JsonElement root) => new(Object(root, "multiValueHeaders") is not null);

    public EventRequest Read(JsonElement root)
    {
        // A balancer's health checks have an address of the balancer, and no more.
        var request = Request(root, Required(root, "httpMethod"), Required(root, "path"), Query(root, static value => value), "", null);
        AddSingle(request.Http.Headers, Object(root, "headers"));
        if (Object(root, "multiValueHeaders") is { } headers) AddMulti(request.Http.Headers, headers);
        var client = request.Http.Headers["X-Forwarded-For"].ToString().Split(',')[^1].Trim();
        return (request with { Address = client }).WithLength();
    }

    public void WriteHead(Utf8JsonWriter json, int status, IHeaderDictionary headers)
    {
        json.WriteNumber("statusCode", status);
        json.WriteString("statusDescription", $"{status} {ReasonPhrases.GetReasonPhrase(status)}".Trim());
        if (several)
        {
            RestShape.WriteMulti(json, headers);
            return;
        }

        json.WriteStartObject("headers");
        foreach (var (name, values) in Ours(headers)) json.WriteString(name.ToLowerInvariant(), string.Join(", ", values.AsEnumerable()));
        json.WriteEndObject();
    }
}
